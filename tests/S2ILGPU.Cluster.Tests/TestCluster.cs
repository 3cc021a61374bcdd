using System.Text.Json;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Serving;
using S2ILGPU.Serving.Tests;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Cluster.Tests;

/// <summary>Servers of one model in this process, which are instances of one cluster over the loopback
/// address.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    /// <summary>The tiny model, with a context that texts do not fill at once.</summary>
    public static TransformerConfig Config { get; } = TinyModelFolder.Config with { ContextTokens = 4096 };

    private readonly List<TestServer> _servers = [];
    private readonly List<ClusterInstance> _instances = [];

    public IReadOnlyList<TestServer> Servers => _servers;

    public IReadOnlyList<ClusterInstance> Instances => _instances;

    /// <summary>How an instance joins. A busy machine must not look like a lost instance, so everything waits
    /// long.</summary>
    public ClusterOptions Options { get; } = new()
    {
        Name = "test",
        Port = FreePort.Find(),
        CallTimeout = TimeSpan.FromMinutes(2),
        StatusTimeout = TimeSpan.FromMinutes(2),
        Lease = TimeSpan.FromMinutes(10),
        JoinTimeout = TimeSpan.FromMinutes(10),
    };

    /// <summary>A cluster of two instances.</summary>
    public static async Task<TestCluster> StartAsync(Func<ModelServerOptions, ModelServerOptions>? change = null)
    {
        var cluster = new TestCluster();
        await cluster.AddAsync(change);
        await cluster.AddAsync(change);
        await cluster.MeetAsync();
        return cluster;
    }

    /// <summary>Adds an instance.</summary>
    public async Task AddAsync(Func<ModelServerOptions, ModelServerOptions>? change = null)
    {
        var server = await TestServer.StartAsync(change, Config);
        lock (_servers)
            _servers.Add(server);
        var instance = await ClusterInstance.StartAsync(server.Server, Options);
        lock (_instances)
            _instances.Add(instance);
    }

    /// <summary>Waits until every instance knows all.</summary>
    public async Task MeetAsync()
    {
        foreach (var server in _servers)
            while (Lines(await server.Client.GetStringAsync("/health")) < _servers.Count + 1)
                await Task.Delay(20);
    }

    /// <summary>Asks an instance for a text, streamed.</summary>
    public async Task<string> StreamAsync(int instance, string prompt, int maxTokens, double temperature = 0,
        int seed = 1)
    {
        using var response = await BeginAsync(instance, prompt, maxTokens, temperature, seed);
        return EventStream.Text(await EventStream.ReadAsync(response));
    }

    /// <summary>Begins a streamed text; returns when the request is placed.</summary>
    public Task<HttpResponseMessage> BeginAsync(int instance, string prompt, int maxTokens, double temperature = 0,
        int seed = 1, CancellationToken cancellation = default) =>
        _servers[instance].Client.SendAsync(new HttpRequestMessage(HttpMethod.Post, "/v1/completions")
        {
            Content = new StringContent(JsonSerializer.Serialize(new
            {
                model = TestServer.ModelName, prompt, max_tokens = maxTokens, temperature, seed, stream = true,
            })),
        }, HttpCompletionOption.ResponseHeadersRead, cancellation);

    /// <summary>What the prompt gets from one server alone.</summary>
    public string Alone(string prompt, int maxTokens, double temperature = 0, int seed = 1) => _servers[0].Alone(prompt,
        maxTokens, new SamplingOptions { Temperature = (float)temperature, TopK = 0, TopP = 1, Seed = (ulong)seed });

    /// <summary>A number of an instance's metrics.</summary>
    public async Task<double> MetricAsync(int instance, string name) => double.Parse(
        (await _servers[instance].Client.GetStringAsync("/metrics")).Split('\n')
        .Single(line => line.StartsWith(name + " ", StringComparison.Ordinal))[(name.Length + 1)..]);

    /// <summary>Waits until nothing runs anywhere and every page is free.</summary>
    public async Task BecomeIdleAsync()
    {
        foreach (var server in _servers)
            await server.BecomeIdleAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var instance in _instances)
            await instance.DisposeAsync();
        foreach (var server in _servers)
            await server.DisposeAsync();
    }

    private static int Lines(string text) => text.Count(c => c == '\n');
}

using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using S2ILGPU.Cpu;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Serving.Tests;

/// <summary>A tiny random model of sparse and dense layers behind a real port of the loopback address.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    public const string ModelName = "tiny";
    private const int ChunkTokens = 32;

    // An engine is driven by one thread at a time: what a prompt alone gets is computed on another.
    private readonly CpuEngine _engine = new(new CpuOptions(Threads: 2));
    private readonly CpuEngine _engineAlone = new(new CpuOptions(Threads: 1));
    private readonly PretrainedModel _pretrained, _alone;

    private TestServer(ModelServerOptions options, TransformerConfig? config, ILogger<ModelServer>? logger,
        SampleAttentionOptions? sample, string? generationConfig)
    {
        using var folder = new TemporaryFolder();
        TinyModelFolder.Save(folder.FullPath, _engine, config);
        if (generationConfig is not null)
            folder.Write(ModelFolder.GenerationConfig, generationConfig);
        _pretrained = ModelFolder.Load(folder.FullPath, _engine);
        _alone = ModelFolder.Load(folder.FullPath, _engineAlone);
        _pretrained.Model.SampleAttention = sample;
        Server = new ModelServer(_pretrained, options, logger);
    }

    public ModelServer Server { get; }

    public ApiHost Host { get; private set; } = null!;

    public HttpClient Client { get; } = new() { Timeout = Timeout.InfiniteTimeSpan };

    /// <summary>A server; no prefix is kept, so that the pool is empty when nothing runs.</summary>
    public static async Task<TestServer> StartAsync(Func<ModelServerOptions, ModelServerOptions>? change = null,
        TransformerConfig? config = null, ILogger<ModelServer>? logger = null, SampleAttentionOptions? sample = null,
        Func<ApiHostOptions, ApiHostOptions>? host = null, string? generationConfig = null)
    {
        var options = new ModelServerOptions
        {
            ModelName = ModelName,
            Scheduler = new SchedulerOptions
            {
                Sequences = 8,
                ChunkTokens = ChunkTokens,
                StepTokens = 80,
                Prefixes = 0,
            },
        };
        var server = new TestServer(change?.Invoke(options) ?? options, config, logger, sample,
            generationConfig);
        server.Host = await ApiHost.StartAsync(server.Server,
            host?.Invoke(new ApiHostOptions { Port = 0 }) ?? new ApiHostOptions { Port = 0 });
        server.Client.BaseAddress = new Uri(server.Host.Address);
        return server;
    }

    /// <summary>The text of one prompt alone, without scheduler and server.</summary>
    public string Alone(string prompt, int maxTokens, SamplingOptions sampling, params string[] stop)
    {
        using var generator = new TextGenerator(_alone.Model, _alone.Tokenizer,
            new KeyValueCacheOptions { ChunkTokens = ChunkTokens }, _alone.EndTokens);
        return string.Concat(generator.Generate(prompt, maxTokens, sampling, stop: stop));
    }

    /// <summary>The token of an ASCII character alone.</summary>
    public int TokenOf(char c) => Enumerable.Range(0, _alone.Tokenizer.VocabularySize)
        .First(token => _alone.Tokenizer.TokenBytes(token).SequenceEqual([(byte)c]));

    public int VocabularySize => _alone.Tokenizer.VocabularySize;

    /// <summary>Tokens of a text.</summary>
    public int CountTokens(string text) => _alone.Tokenizer.Encode(text, allowSpecial: true).Length;

    /// <summary>Makes every logit NaN. A step that runs meanwhile fails, or the values wait for its end.</summary>
    public void Damage()
    {
        var tensor = _pretrained.Model.StoredTensors.First().Tensor;
        float[] values = [.. Enumerable.Repeat(float.NaN, (int)tensor.Count)];
        while (true)
            try
            {
                _engine.Upload(values, tensor);
                return;
            }
            catch (InvalidOperationException)
            {
                Thread.Yield(); // the engine is busy with a step
            }
    }

    /// <summary>A request whose tokens take 0.1 s each, so that it and all others last as long as a test needs.
    /// </summary>
    public IDisposable SlowDown(int promptTokens = ChunkTokens, int choices = 1) => Server.Scheduler.Submit(
        new GenerationRequest
        {
            Prompt = [.. Enumerable.Repeat(1, promptTokens)],
            MaxTokens = Server.ContextTokens,
            Choices = choices,
            OnToken = _ => Thread.Sleep(100),
        });

    /// <summary>Posts JSON.</summary>
    public Task<HttpResponseMessage> PostAsync(string path, string json) =>
        Client.PostAsync(path, new StringContent(json, Encoding.UTF8, "application/json"));

    /// <summary>Posts JSON and demands success.</summary>
    public async Task<JsonElement> SucceedAsync(string path, string json)
    {
        using var response = await PostAsync(path, json);
        string text = await response.Content.ReadAsStringAsync();
        Xunit.Assert.True(response.IsSuccessStatusCode, $"{json}: {(int)response.StatusCode} {text}");
        return JsonDocument.Parse(text).RootElement;
    }

    /// <summary>Waits until nothing runs and every page is free.</summary>
    public async Task BecomeIdleAsync()
    {
        while (Server.Counters is not { Queued: 0, Running: 0, UsedPages: 0 })
            await Task.Delay(5);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Host.DisposeAsync();
        Server.Dispose();
        _pretrained.Dispose();
        _alone.Dispose();
        _engine.Dispose();
        _engineAlone.Dispose();
    }
}

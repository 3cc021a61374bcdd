using System.Diagnostics;
using System.Text;
using System.Text.Json;
using S2ILGPU.Serving.Tests;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cluster.Tests;

/// <summary>A process of <c>s2 serve</c> in a cluster. It is killed when the test ends.</summary>
internal sealed class ServeProcess : IDisposable
{
    private readonly Process _process;

    private ServeProcess(Process process) => _process = process;

    public HttpClient Client { get; } = new() { Timeout = Timeout.InfiniteTimeSpan };

    /// <summary>Starts the built tool and waits until it serves.</summary>
    /// <param name="folder">The model.</param>
    /// <param name="options">Further options.</param>
    public static async Task<ServeProcess> StartAsync(string folder, params string[] options)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(Repository.OutputOf("src/S2ILGPU.Cli"), "s2.dll"),
            "serve", "--device", "cpu", "--model", folder, "--port", "0", .. options])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var process = Process.Start(start)!;
        var errors = new StringBuilder();
        process.ErrorDataReceived += (_, line) => errors.AppendLine(line.Data);
        process.BeginErrorReadLine();
        var serve = new ServeProcess(process);
        string? first = await process.StandardOutput.ReadLineAsync();
        if (first is null)
        {
            await process.WaitForExitAsync();
            serve.Dispose();
            Assert.Fail($"s2 serve {string.Join(' ', options)}: {errors}");
        }
        serve.Client.BaseAddress =
            new Uri(first.Split(' ', ',').First(word => word.StartsWith("http", StringComparison.Ordinal)));
        return serve;
    }

    /// <summary>Waits until it knows so many instances.</summary>
    public async Task MeetAsync(int instances)
    {
        while (await MetricAsync("s2_instances") < instances)
            await Task.Delay(50);
    }

    /// <summary>A number of its metrics.</summary>
    public async Task<double> MetricAsync(string name) => double.Parse(
        (await Client.GetStringAsync("/metrics")).Split('\n')
        .Single(line => line.StartsWith(name + " ", StringComparison.Ordinal))[(name.Length + 1)..]);

    /// <summary>Whether the process has ended.</summary>
    public bool HasEnded => _process.HasExited;

    /// <summary>Whether it runs nothing, and no page of its cache is used.</summary>
    public async Task<bool> IsIdleAsync() =>
        await MetricAsync("s2_cache_pages_used") == 0 && await MetricAsync("s2_running_sequences") == 0;

    /// <summary>Begins a streamed text; returns when the request is placed.</summary>
    public Task<HttpResponseMessage> BeginAsync(string folder, string prompt, int maxTokens, double temperature,
        int seed) =>
        Client.SendAsync(new HttpRequestMessage(HttpMethod.Post, "/v1/completions")
        {
            Content = new StringContent(JsonSerializer.Serialize(new
            {
                model = Path.GetFileName(folder), prompt, max_tokens = maxTokens, temperature, seed, stream = true,
            })),
        }, HttpCompletionOption.ResponseHeadersRead);

    /// <summary>Sends it a signal.</summary>
    /// <param name="name">As <c>kill</c> knows it.</param>
    public Task SignalAsync(string name) => ChildProcess.RunAsync("kill", $"-{name}", $"{_process.Id}");

    /// <summary>Kills it at once, as <c>kill -9</c>.</summary>
    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            Kill();
        _process.Dispose();
        Client.Dispose();
    }
}

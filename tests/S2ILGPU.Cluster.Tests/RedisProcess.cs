using System.Diagnostics;
using S2ILGPU.Serving.Tests;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cluster.Tests;

/// <summary>A <c>redis-server</c> of this machine that keeps nothing. It is killed when the test ends.</summary>
internal sealed class RedisProcess : IAsyncDisposable
{
    private readonly Process _process;

    private RedisProcess(Process process, string address) => (_process, Address) = (process, address);

    /// <summary>Host and port.</summary>
    public string Address { get; }

    /// <summary>Starts it and waits until it answers; skips the test where none is installed.</summary>
    /// <param name="options">Further options.</param>
    public static async Task<RedisProcess> StartAsync(params string[] options)
    {
        Assert.SkipUnless(ChildProcess.IsOnPath("redis-server"), "no redis-server is installed");
        int port = FreePort.Find();
        var process = Process.Start(new ProcessStartInfo("redis-server",
            ["--port", $"{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", .. options])
        { RedirectStandardOutput = true })!;
        while (await process.StandardOutput.ReadLineAsync() is { } line && !line.Contains("Ready to accept")) { }
        _ = process.StandardOutput.ReadToEndAsync();
        return new RedisProcess(process, $"127.0.0.1:{port}");
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}

using System.Diagnostics;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Cluster.Tests;

/// <summary>A process of <c>s2 attention-worker</c>. It is killed when the test ends.</summary>
internal sealed class WorkerProcess : IDisposable
{
    private readonly Process _process;

    private WorkerProcess(Process process, string address) => (_process, Address) = (process, address);

    /// <summary>Where it listens.</summary>
    public string Address { get; }

    /// <summary>Starts the built tool and waits until it listens.</summary>
    public static async Task<WorkerProcess> StartAsync(string address = "127.0.0.1:0")
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(Repository.OutputOf("src/S2ILGPU.Cli"), "s2.dll"),
            "attention-worker", "--device", "cpu", "--listen", address])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["DOTNET_PROCESSOR_COUNT"] = "1";
        var process = Process.Start(start)!;
        process.BeginErrorReadLine();
        const string Begin = "attention worker on ";
        string first = await process.StandardOutput.ReadLineAsync() ?? "";
        if (first.StartsWith(Begin, StringComparison.Ordinal))
            return new WorkerProcess(process, first[Begin.Length..first.IndexOf(',')]);
        await process.WaitForExitAsync();
        process.Dispose();
        throw new InvalidOperationException($"s2 attention-worker --listen {address} ended with '{first}'");
    }

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
    }
}

using System.Diagnostics;

namespace S2ILGPU.Cli.Bench.Serving;

/// <summary>A process of <c>s2 attention-worker</c> on the loopback address. Disposing ends it.</summary>
internal sealed class AttentionWorkerProcess : IDisposable
{
    private const string Begin = "attention worker on ";

    private readonly Process _process;

    private AttentionWorkerProcess(Process process, string address) => (_process, Address) = (process, address);

    /// <summary>HOST:PORT where it listens.</summary>
    public string Address { get; }

    /// <summary>Starts one and waits until it listens.</summary>
    /// <param name="threads">Threads that it computes with.</param>
    /// <exception cref="IOException">It does not start.</exception>
    public static AttentionWorkerProcess Start(int threads)
    {
        string[] command = Tool();
        var start = new ProcessStartInfo(command[0], [.. command[1..], "attention-worker", "--device", "cpu",
            "--listen", "127.0.0.1:0"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["DOTNET_PROCESSOR_COUNT"] = $"{threads}";
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new IOException($"{command[0]} does not start: {e.Message}", e);
        }
        string error = "";
        process.ErrorDataReceived += (_, line) => error = string.IsNullOrWhiteSpace(line.Data) ? error : line.Data;
        process.BeginErrorReadLine();
        string first = process.StandardOutput.ReadLine() ?? "";
        if (first.StartsWith(Begin, StringComparison.Ordinal))
            return new AttentionWorkerProcess(process, first[Begin.Length..first.IndexOf(',')]);
        process.WaitForExit();
        process.Dispose();
        throw new IOException($"an attention worker ended when it began: {error}");
    }

    public void Dispose()
    {
        try
        {
            _process.Kill();
            _process.WaitForExit();
        }
        catch (InvalidOperationException)
        {
            // it has ended
        }
        _process.Dispose();
    }

    // Program and first arguments: the tool itself, or its assembly where another program runs it.
    private static string[] Tool() => Environment.ProcessPath is { } path
        && Path.GetFileNameWithoutExtension(path) == "s2" ? [path]
        : [Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", "exec",
            typeof(AttentionWorkerProcess).Assembly.Location];
}

using System.Diagnostics;
using System.Globalization;

namespace S2ILGPU.Cli.Bench.Report;

/// <summary>A peer has no figures here; the message says why in one line.</summary>
internal sealed class PeerMissingException(string message) : Exception(message);

/// <summary>The program <c>bench/S2ILGPU.Peers</c>, started as a process of its own: it has native libraries, and the
/// tool has none.</summary>
/// <param name="command">Program and first arguments.</param>
internal sealed class PeerProgram(IReadOnlyList<string> command)
{
    private const string Project = "bench/S2ILGPU.Peers";

    private static readonly Lock s_deleting = new();

    // Of its time. A figure under way comes to its end.
    private const double BeginWithin = 0.7;

    /// <summary>The peers by name, as the program knows them.</summary>
    public static IReadOnlyList<string> Names { get; } = ["torch", "onnx", "llama"];

    /// <summary>Why there are no figures when <see cref="Find"/> finds nothing.</summary>
    public const string NotBuilt = "not built here: dotnet build -c Release " + Project
        + " in a checkout, and the report started in it";

    /// <summary>The built program of the checkout that a folder lies in; null where there is none.</summary>
    public static PeerProgram? Find(string folder)
    {
        for (var at = new DirectoryInfo(folder); at is not null; at = at.Parent)
        {
            string output = Path.Combine(at.FullName, Project, "bin", "Release");
            if (!Directory.Exists(output))
                continue;
            string? program = Directory.EnumerateFiles(output, "S2ILGPU.Peers.dll", SearchOption.AllDirectories)
                .MaxBy(File.GetLastWriteTimeUtc);
            if (program is not null)
                return new PeerProgram([Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", "exec",
                    program]);
        }
        return null;
    }

    /// <summary>Measures a peer beside ours.</summary>
    /// <param name="peer">Its name.</param>
    /// <param name="isQuick">Fewer rounds and no long contexts.</param>
    /// <param name="limit">Ends it after so long; it begins no figure in the last part of the time.</param>
    /// <param name="cancellation">Ends it at once.</param>
    /// <exception cref="PeerMissingException">There are no figures.</exception>
    public PeerFigures Run(string peer, bool isQuick, TimeSpan limit, CancellationToken cancellation)
    {
        // The program writes models; what a killed one leaves goes with the folder.
        string temporary = Directory.CreateTempSubdirectory("s2-peer-").FullName;
        try
        {
            // The program refuses 0.
            string minutes = Math.Max(0.01, BeginWithin * limit.TotalMinutes)
                .ToString("0.00", CultureInfo.InvariantCulture);
            var start = new ProcessStartInfo(command[0], [.. command.Skip(1), peer, "--json", "--minutes", minutes,
                .. isQuick ? (string[])["--quick"] : []])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            foreach (string variable in (string[])["TMPDIR", "TMP", "TEMP"])
                start.Environment[variable] = temporary;
            using var process = Start(start);
            // At once, on the thread that cancels: the tool may end before this one goes on.
            using var ending = cancellation.Register(() => End(process, temporary));
            return Read(process, limit, cancellation);
        }
        finally
        {
            Delete(temporary);
        }
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new PeerMissingException($"{start.FileName} does not start: {e.Message}");
        }
    }

    private static PeerFigures Read(Process process, TimeSpan limit, CancellationToken cancellation)
    {
        string error = "";
        process.ErrorDataReceived += (_, line) => error = string.IsNullOrWhiteSpace(line.Data) ? error : line.Data;
        process.BeginErrorReadLine();
        var reading = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        bool isOver = process.WaitForExit(limit);
        if (!isOver)
            process.Kill(entireProcessTree: true);
        process.WaitForExit(); // and for the streams
        cancellation.ThrowIfCancellationRequested();
        if (!isOver)
            throw new PeerMissingException(string.Create(CultureInfo.InvariantCulture,
                $"ended after {limit.TotalMinutes:0.0} minutes, the time for it"));
        string output = reading.GetAwaiter().GetResult().Trim();
        if (process.ExitCode != 0)
            throw new PeerMissingException($"exit code {process.ExitCode}: {error}");
        if (!output.StartsWith('{')) // one line: "torch: skipped, TorchSharp does not start: ..."
            throw new PeerMissingException(output[(output.IndexOf(": ", StringComparison.Ordinal) + 1)..].Trim());
        try
        {
            return PeerFigures.Parse(output);
        }
        catch (InvalidDataException e)
        {
            throw new PeerMissingException(e.Message);
        }
    }

    private static void End(Process process, string temporary)
    {
        try
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
        }
        catch (InvalidOperationException)
        {
            // it has ended
        }
        Delete(temporary);
    }

    private static void Delete(string folder)
    {
        lock (s_deleting)
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
    }
}

using System.CommandLine;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Cli.Bench.Report;
using S2ILGPU.Cli.Invocation;
using S2ILGPU.Cli.Json;
using S2ILGPU.Cpu;
using S2ILGPU.Storage;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 bench report</c>: one page with tables and plots of what this machine's processor does.</summary>
internal static class ReportBenchCommand
{
    /// <summary>Names of the page and of its figures as JSON.</summary>
    public const string Page = "report.md", Figures = "report.json";

    public static Command Create()
    {
        var quick = Options.Switch("--quick", "Few lengths and repetitions: below 20 minutes instead of hours");
        var folder = Options.Text("--out", "DIR", $"Folder that gets {Page}, {Figures} and the plots",
            unset: "docs/benchmarks and a folder named after the processor");
        var peers = Options.Switch("--peers",
            "Measure libtorch, ONNX Runtime, llama.cpp and OpenBLAS beside ours, where they are built or installed");
        var command = new Command("report",
            "Write a page with tables and plots of attention, training and generation on this processor.") { quick,
            folder, peers };
        command.SetAction((parsed, cancellation) =>
        {
            bool isQuick = parsed.GetValue(quick), hasPeers = parsed.GetValue(peers);
            string line = $"s2 bench report{(isQuick ? " --quick" : "")}{(hasPeers ? " --peers" : "")}";
            var output = parsed.InvocationConfiguration.Output;
            var run = new ReportRun(isQuick ? ReportSettings.Quick : ReportSettings.Full, line, output.WriteLine,
                cancellation);
            return RunAsync(parsed.GetValue(folder) ?? DefaultFolder(), () => hasPeers
                ? run.RunWithPeers(PeerProgram.Find(Directory.GetCurrentDirectory())) : run.Run(), output,
                cancellation);
        });
        return command;
    }

    /// <summary>Measures, then writes the files.</summary>
    /// <param name="folder">The folder; created where it is missing, and taken away again when nothing is
    /// written.</param>
    /// <param name="measure">Measures.</param>
    /// <param name="output">Gets the names of the files.</param>
    /// <param name="cancellation">Ends the run. The files are written once all figures are there.</param>
    internal static async Task<int> RunAsync(string folder, Func<MachineReport> measure, TextWriter output,
        CancellationToken cancellation)
    {
        if (File.Exists(folder))
            throw new InvalidDataException($"--out: {folder} is a file, a folder was expected");
        // Now rather than after the measurements: it may not be allowed.
        var created = Missing(folder);
        Directory.CreateDirectory(folder);
        try
        {
            var report = await Interruptible.RunAsync(measure, cancellation);
            Save(report, folder);
        }
        finally
        {
            foreach (string missing in created.Where(path => !Directory.EnumerateFileSystemEntries(path).Any()))
                Directory.Delete(missing);
        }
        output.WriteLine(Path.Combine(folder, Page));
        return 0;
    }

    // The folder and those above it that do not exist yet, the innermost first.
    private static List<string> Missing(string folder)
    {
        var missing = new List<string>();
        for (string? path = Path.GetFullPath(folder); path is not null && !Directory.Exists(path);
            path = Path.GetDirectoryName(path))
            missing.Add(path);
        return missing;
    }

    // The page last: what it refers to is there.
    private static void Save(MachineReport report, string folder)
    {
        var plots = ReportPlots.Of(report);
        string page = ReportPage.Render(report, plots);
        foreach (var plot in plots)
            AtomicFile.WriteText(Path.Combine(folder, plot.File), plot.Svg);
        JsonFile.Write(Path.Combine(folder, Figures), report.Write);
        AtomicFile.WriteText(Path.Combine(folder, Page), page);
    }

    private static string DefaultFolder()
    {
        using var engine = new CpuEngine();
        return Path.Combine("docs", "benchmarks", MachineFacts.Of(engine).FolderName);
    }
}

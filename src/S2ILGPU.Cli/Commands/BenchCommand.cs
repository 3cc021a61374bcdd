using System.CommandLine;
using System.Text;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Storage;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 bench</c>: how fast an engine is, beside what the machine can do at most.</summary>
internal static class BenchCommand
{
    public static Command Create()
    {
        var command = new Command("bench", "Measure speed beside what the machine can do at most.") { CreateCpu() };
        foreach (var onDevices in DeviceBenchCommands.Create())
            command.Add(onDevices);
        command.Add(ServeBenchCommand.Create());
        command.Add(WorkersBenchCommand.Create());
        command.Add(NeedleBenchCommand.Create());
        command.Add(SampleBenchCommand.Create());
        command.Add(PlanBenchCommand.Create());
        command.Add(ReportBenchCommand.Create());
        command.Add(CompareCommand.Create());
        return command;
    }

    private static Command CreateCpu()
    {
        var json = Options.Json();
        var quick = Options.Switch("--quick", "Short lengths and few repetitions: 1 to 3 minutes on 2 cores, not 8");
        var folder = Options.Text("--out", "DIR",
            "Folder that also gets a page, JSON and two plots, named after registers and caches, as in "
            + "cpu-avx2-32k-512k-32m.md");
        var caches = CachesOption.Create();
        var command = new Command("cpu",
            "Measure every figure of the CPU engine against the machine's own peak, with targets.") { json,
            quick, folder, caches };
        command.SetAction((parsed, cancellation) =>
        {
            bool isQuick = parsed.GetValue(quick), isJson = parsed.GetValue(json);
            var settings = (isQuick ? BenchSettings.Quick : BenchSettings.Full) with
            {
                Caches = CachesOption.Sizes(parsed, caches),
            };
            string line = $"s2 bench cpu{(isQuick ? " --quick" : "")}"
                + (parsed.GetValue(caches) is { } sizes ? $" --caches {sizes}" : "");
            // On a thread of its own, so that Ctrl+C reaches the token between two groups.
            return Task.Run(() => Run(settings, line, isJson, parsed.GetValue(folder),
                parsed.InvocationConfiguration.Output, cancellation), CancellationToken.None);
        });
        return command;
    }

    private static int Run(BenchSettings settings, string line, bool isJson, string? folder, TextWriter output,
        CancellationToken cancellation)
    {
        if (folder is not null)
            CreateFolder(folder); // now rather than after minutes
        var report = isJson
            ? BenchRun.Run(settings, _ => { }, _ => { }, cancellation)
            : BenchRun.Run(settings, machine => output.WriteLine($"{machine}\n"), group =>
                FigureReport.Show(group, output), cancellation);
        if (isJson)
            output.WriteLine(Json(report));
        else
            Summarize(report, output);
        if (folder is not null)
            Save(report, line, folder);
        return 0;
    }

    private static void CreateFolder(string folder)
    {
        if (File.Exists(folder))
            throw new InvalidDataException($"--out: {folder} is a file, a folder was expected");
        Directory.CreateDirectory(folder);
    }

    /// <summary>Writes a report's files into a folder that is there. They are named after the machine's registers and
    /// caches.</summary>
    internal static void Save(BenchReport report, string command, string folder)
    {
        string name = report.Machine.FileName, speedUps = $"{name}-speed-up.svg", peak = $"{name}-fraction-of-peak.svg";
        AtomicFile.WriteText(Path.Combine(folder, $"{name}.json"), Json(report) + "\n");
        AtomicFile.WriteText(Path.Combine(folder, speedUps), BenchPlots.SpeedUps(report.SpeedUps));
        AtomicFile.WriteText(Path.Combine(folder, peak), BenchPlots.FractionsOfPeak(report.Figures));
        string page = FigureText.Markdown(report, command,
            (speedUps, "Sparse over dense attention against the length, with its ceiling"),
            (peak, "Fraction of the machine's peak"));
        AtomicFile.WriteText(Path.Combine(folder, $"{name}.md"), page);
    }

    /// <summary>The report as JSON text.</summary>
    internal static string Json(BenchReport report)
    {
        using var buffer = new MemoryStream();
        report.WriteJson(buffer);
        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static void Summarize(BenchReport report, TextWriter output)
    {
        output.WriteLine($"machine: {report.Limits}");
        foreach (string note in report.Notes)
            output.WriteLine(note);
        output.WriteLine(report.Summary);
        foreach (var miss in report.Misses)
            output.WriteLine(
                $"  {miss.Mark}: {miss.Name}: {FigureText.Value(miss, miss.Value)}, "
                + (miss.Verdict == Verdict.Unsteady ? $"steady {FigureText.Value(miss, miss.Steady)}, " : "")
                + $"target {FigureText.Value(miss, miss.Target)}");
    }
}

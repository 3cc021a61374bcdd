using System.CommandLine;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Cli.Bench.Serving;
using S2ILGPU.Cpu;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 bench workers</c>: what it takes to have the cache and attention in other processes.</summary>
internal static class WorkersBenchCommand
{
    public static Command Create()
    {
        var workers = Options.Number("--workers", 1, "Attention workers, processes of this machine", least: 1, most: 4);
        var sequences = Options.Number("--sequences", 8, "Texts that are generated side by side", least: 2, most: 256);
        var prompt = Options.Number("--prompt-tokens", 2048, "Tokens of each prompt", least: 1, most: 1 << 17);
        var quick = Options.Switch("--quick", "Few repetitions");
        var json = Options.Json();
        var file = Options.Text("--out", "FILE", "File that also gets the JSON");
        var command = new Command("workers",
            "Generate texts with attention workers of this machine: equal texts, bytes against the formula, overlap "
            + "beside the ideal, CPU time of each process.") { workers, sequences, prompt, quick, json, file };
        command.SetAction((parsed, cancellation) =>
        {
            string? path = parsed.GetValue(file);
            TargetFile.Check("--out", path);
            int processes = parsed.GetValue(workers);
            if (WorkersSettings.KeyValueHeads % processes != 0)
                throw new ArgumentException($"--workers must be 1, 2 or 4, which share 4 key/value heads, got "
                    + $"{processes}");
            var (texts, tokens) = (parsed.GetValue(sequences), parsed.GetValue(prompt));
            var settings = parsed.GetValue(quick) ? WorkersSettings.Quick(processes, texts, tokens)
                : new(processes, texts, tokens);
            var output = parsed.InvocationConfiguration.Output;
            bool isJson = parsed.GetValue(json);
            return Task.Run(() => Run(settings, isJson, path, output, cancellation), CancellationToken.None);
        });
        return command;
    }

    private static int Run(WorkersSettings settings, bool isJson, string? file, TextWriter output,
        CancellationToken cancellation)
    {
        using var engine = new CpuEngine(new CpuOptions(Threads: settings.Threads));
        if (!isJson)
            output.WriteLine($"{MachineFacts.Of(engine)}\n");
        var report = new FigureReport(engine.Name, output, isJson);
        using var load = new WorkersLoad(engine, settings, cancellation);
        report.Add(load.Measure(hasEarlyQueries: false, cancellation));
        report.Add(load.Measure(hasEarlyQueries: true, cancellation));
        report.Add(load.MeasureOne(cancellation));
        report.WriteJson(file);
        return 0;
    }
}

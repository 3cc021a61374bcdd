using System.CommandLine;
using S2ILGPU.Cli.Bench.Device;
using S2ILGPU.Cli.Devices;
using S2ILGPU.Cli.Json;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 bench attention</c> and <c>s2 bench compare</c>: attention on any device, and beside other
/// implementations.</summary>
internal static class DeviceBenchCommand
{
    public static Command CreateAttention()
    {
        var device = DeviceOption.Create();
        var json = Options.Json();
        var quick = Options.Switch("--quick", "Few lengths and repetitions");
        var file = Options.Text("--out", "FILE", "File that also gets the JSON");
        var command = new Command("attention",
            "Time attention forward, backward and decoding on a device: dense and sparse in turn, beside the ceiling.")
            { device, json, quick, file };
        command.SetAction((parsed, cancellation) =>
        {
            bool isJson = parsed.GetValue(json), isQuick = parsed.GetValue(quick);
            var (name, path, output) = (parsed.GetValue(device)!, parsed.GetValue(file),
                parsed.InvocationConfiguration.Output);
            return Task.Run(() => Attention(name, isQuick, isJson, path, output, cancellation), CancellationToken.None);
        });
        return command;
    }

    public static Command CreateCompare()
    {
        var ours = new Argument<string>("ours") { Description = "What s2 bench attention wrote",
            HelpName = "OURS.json" };
        var peers = new Argument<string>("peers") { Description = "What bench/peers/attention_peers.py wrote",
            HelpName = "PEERS.json" };
        var format = Options.Choice("--format", ["text", "markdown", "json"],
            "How to print the table", "text");
        var command = new Command("compare", "Join our times and those of other implementations in one table.") { ours,
            peers, format };
        command.SetAction(parsed =>
        {
            var comparison = PeerComparison.Join(TimesFile.Read(parsed.GetValue(ours)!),
                TimesFile.Read(parsed.GetValue(peers)!));
            var output = parsed.InvocationConfiguration.Output;
            switch (parsed.GetValue(format))
            {
                case "json":
                    JsonText.WriteLine(output, comparison.Write);
                    break;
                case "markdown":
                    ComparisonText.WriteMarkdown(comparison, output);
                    break;
                default:
                    ComparisonText.WriteText(comparison, output);
                    break;
            }
            return 0;
        });
        return command;
    }

    private static int Attention(string name, bool isQuick, bool isJson, string? path, TextWriter output,
        CancellationToken cancellation)
    {
        TargetFile.Check("--out", path);
        var (device, engine) = DeviceChoice.Create(name);
        using (engine)
        {
            var lines = isJson ? TextWriter.Null : output;
            lines.WriteLine($"device: {device.Id}, {engine.Name}");
            var bench = new DeviceBench(engine, device, DeviceBenchSettings.For(device.Kind, isQuick));
            var report = bench.Run(entries => DeviceReport.WriteLines(entries, lines), cancellation);
            foreach (string note in report.Notes)
                lines.WriteLine(note);
            if (isJson)
                JsonText.WriteLine(output, report.Write);
            JsonFile.Write(path, report.Write);
            return report.Entries.Count > 0 ? 0
                : throw new InvalidOperationException(
                $"nothing could be measured on {device.Id}: {string.Join("; ", report.Notes)}");
        }
    }
}

using System.CommandLine;
using S2ILGPU.Cli.Bench.Device;
using S2ILGPU.Cli.Json;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 bench compare</c>: attention beside other implementations.</summary>
internal static class CompareCommand
{
    public static Command Create()
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
}

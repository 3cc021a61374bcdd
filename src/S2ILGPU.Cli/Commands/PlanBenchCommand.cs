using System.CommandLine;
using S2ILGPU.Cli.Bench;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 bench plans</c>: what the host prepares for the attention kernels of a GPU.</summary>
internal static class PlanBenchCommand
{
    public static Command Create()
    {
        var rounds = Options.Number("--rounds", 20, "Repetitions of each case", least: 1, most: 10_000);
        var command = new Command("plans",
            "Time the lists that the host makes for attention on a GPU; none needs to be there.") { rounds };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            var output = parsed.InvocationConfiguration.Output;
            foreach (string line in new PlanBench(parsed.GetValue(rounds)).Run(cancellation))
                output.WriteLine(line);
            return 0;
        }, CancellationToken.None));
        return command;
    }
}

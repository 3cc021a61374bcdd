using System.CommandLine;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>s2 simulate</c>: from the costs of a machine to runs that it is too small for.</summary>
internal static class SimulateCommand
{
    public static Command Create() =>
        new("simulate",
            "Predict training on many ranks and servers under traffic from measured costs, without running them.")
        {
            SimulateTrainingCommand.Create(),
            SimulateCalibrateCommand.Create(),
            SimulateServingCommand.Create(),
            SimulateServingCalibrateCommand.Create(),
        };
}

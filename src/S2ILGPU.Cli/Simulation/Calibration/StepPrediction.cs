using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Cli.Training;

namespace S2ILGPU.Cli.Simulation.Calibration;

/// <summary>Predicts a step of a run from what its ranks take side by side without exchanging.</summary>
/// <param name="costs">Costs of operations, right but for a factor, and of exchanges; ranks do not slow each other
/// down in them.</param>
/// <param name="grid">The ranks.</param>
/// <param name="traces">What the ranks of a data-parallel group do.</param>
/// <param name="beside">What they do when they do not exchange.</param>
internal sealed class StepPrediction(MachineCosts costs, RankGrid grid, IReadOnlyList<RankTrace> traces,
    IReadOnlyList<RankTrace> beside)
{
    private readonly StepForecast _beside = StepSimulation.Run(costs, grid, beside);

    /// <summary>A step that runs right after a measurement.</summary>
    /// <param name="measured">The ranks side by side. What they take from processors gives the factor of all
    /// operations; by how much the clock went on further than with free processors, it does in the step too.</param>
    public RankTime Of(RankTime measured)
    {
        double slower = measured.ProcessorSeconds / _beside.ProcessorSeconds,
            stretched = Math.Max(1, measured.Seconds / (_beside.Seconds * slower));
        var step = StepSimulation.Run(costs.WithOperationsTimes(slower), grid, traces);
        return new RankTime(step.Seconds * stretched, step.ProcessorSeconds);
    }
}

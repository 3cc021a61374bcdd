using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Cli.Training;

namespace S2ILGPU.Cli.Simulation.Calibration;

/// <summary>Predicts a step of a run from what its ranks take side by side without exchanging.</summary>
/// <param name="costs">Costs of operations, right up to a factor, and of exchanges; without contention between
/// ranks.</param>
/// <param name="grid">The ranks.</param>
/// <param name="traces">What the ranks of a data-parallel group do.</param>
/// <param name="beside">What they do side by side without exchanging.</param>
internal sealed class StepPrediction(MachineCosts costs, RankGrid grid, IReadOnlyList<RankTrace> traces,
    IReadOnlyList<RankTrace> beside)
{
    private readonly StepForecast _beside = StepSimulation.Run(costs, grid, beside);

    /// <summary>A step that runs right after a measurement.</summary>
    /// <param name="measured">The ranks side by side. Their processor time gives the factor of all operations. Where
    /// the clock shows more than free processors would need, the step is stretched by the same factor.</param>
    public RankTime Of(RankTime measured)
    {
        double slower = measured.ProcessorSeconds / _beside.ProcessorSeconds,
            stretched = Math.Max(1, measured.Seconds / (_beside.Seconds * slower));
        var step = StepSimulation.Run(costs.WithOperationsTimes(slower), grid, traces);
        return new RankTime(step.Seconds * stretched, step.ProcessorSeconds);
    }
}

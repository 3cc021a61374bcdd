using S2ILGPU.Cli.Training;
using S2ILGPU.Models;
using S2ILGPU.Training;

namespace S2ILGPU.Cli.Simulation.Tracing;

/// <summary>A training run as far as it decides what ranks do: not its data and not its length.</summary>
/// <param name="Config">The model.</param>
/// <param name="Options">Micro-batches, their size, activations.</param>
/// <param name="Grid">The ranks.</param>
internal sealed record TrainingShape(TransformerConfig Config, TrainingOptions Options, RankGrid Grid)
{
    /// <summary>A run in which every group of ranks learns as many micro-batches.</summary>
    /// <param name="preset">Sizes of model and micro-batch.</param>
    /// <param name="attention">Attention of the layers, as <c>--attention</c> has it.</param>
    /// <param name="grid">The ranks.</param>
    /// <param name="microBatches">Micro-batches of a group in a step.</param>
    public static TrainingShape Of(TrainingPreset preset, string attention, RankGrid grid, int microBatches) =>
        new((preset.Model with { Attention = preset.Attention(attention) }).Validate(), preset.Options with
        {
            Steps = int.MaxValue,
            ValidationInterval = 0,
            AccumulationSteps = checked(microBatches * grid.Groups),
        }, grid);

    /// <summary>Tokens of a step of all ranks.</summary>
    public double TokensPerStep => Options.TokensPerStep;
}

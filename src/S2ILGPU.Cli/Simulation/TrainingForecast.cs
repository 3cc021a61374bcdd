using S2ILGPU.Cli.Simulation.Tracing;

namespace S2ILGPU.Cli.Simulation;

/// <summary>A run on some ranks as it is predicted.</summary>
/// <param name="Run">The run.</param>
/// <param name="Step">A step.</param>
/// <param name="Memory">Bytes of the rank that holds most.</param>
/// <param name="CheckpointInterval">Seconds of work between two checkpoints.</param>
/// <param name="Expected">The useful fraction of the time that is expected with failures.</param>
/// <param name="Failures">A run with failures, played.</param>
internal sealed record TrainingForecast(TrainingShape Run, StepForecast Step, RankMemory Memory,
    double CheckpointInterval, double Expected, FailureForecast Failures)
{
    /// <summary>All ranks.</summary>
    public int Ranks => Run.Grid.Ranks;

    /// <summary>Tokens per second and rank while nothing fails.</summary>
    public double RankTokensPerSecond => Run.TokensPerStep / Step.Seconds / Ranks;

    /// <summary>Tokens per second of all ranks that failures and checkpoints leave.</summary>
    public double UsefulTokensPerSecond => Run.TokensPerStep / Step.Seconds * Failures.UsefulFraction;

    /// <summary>The part of a step in which the last rank exchanges and waits.</summary>
    public double ExchangeFraction =>
        Step.Parts.Single(part => part.Name == StepForecast.Exchanges).Seconds / Step.Seconds;
}

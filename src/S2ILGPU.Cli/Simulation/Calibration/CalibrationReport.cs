using S2ILGPU.Cli.Training;

namespace S2ILGPU.Cli.Simulation.Calibration;

/// <summary>The costs of a machine, and how well they predict its own runs.</summary>
/// <param name="Costs">The costs.</param>
/// <param name="Predictions">Runs of several ranks.</param>
/// <param name="Share">The part of a processor that a single rank got: well below 1 on a machine that other programs
/// use, whose times on the clock say less.</param>
internal sealed record CalibrationReport(MachineCosts Costs, IReadOnlyList<Prediction> Predictions, double Share)
{
    /// <summary>The least share with which times on the clock mean something.</summary>
    public const double LeastShare = 0.95;
}

/// <summary>A run that was predicted and measured.</summary>
/// <param name="Grid">Its ranks.</param>
/// <param name="Measured">A step.</param>
/// <param name="Predicted">The same step as simulated.</param>
internal sealed record Prediction(RankGrid Grid, RankTime Measured, RankTime Predicted)
{
    /// <summary>Relative error of the predicted time on the clock; above 0 where it is too long.</summary>
    public double Error => Predicted.Seconds / Measured.Seconds - 1;

    /// <summary>Relative error of the processor time, which other programs hardly change.</summary>
    public double ProcessorError => Predicted.ProcessorSeconds / Measured.ProcessorSeconds - 1;
}

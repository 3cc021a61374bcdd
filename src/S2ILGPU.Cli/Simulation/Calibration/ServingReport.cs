using S2ILGPU.Cli.Bench;
using S2ILGPU.Cli.Simulation.Serving;

namespace S2ILGPU.Cli.Simulation.Calibration;

/// <summary>The costs of a server on this machine, and how well they predict it.</summary>
/// <param name="Costs">The costs.</param>
/// <param name="Predictions">Traffic that was predicted and measured.</param>
internal sealed record ServingReport(MachineCosts Costs, IReadOnlyList<ServingPrediction> Predictions);

/// <summary>Traffic that was predicted and measured.</summary>
/// <param name="Attention">Attention of the layers.</param>
/// <param name="Load">How many texts came per second, in words.</param>
/// <param name="Measured">Medians of the rounds.</param>
/// <param name="Predicted">The same as simulated.</param>
internal sealed record ServingPrediction(string Attention, string Load, ServingFigures Measured,
    ServingFigures Predicted);

/// <summary>Throughput and latency of a server.</summary>
/// <param name="TokensPerSecond">Generated tokens per second.</param>
/// <param name="FirstSeconds">Median of the time to the first token.</param>
/// <param name="LateFirstSeconds">Its 90th percentile.</param>
/// <param name="GapSeconds">Median of the time between tokens.</param>
/// <param name="LongGapSeconds">Its 99th percentile.</param>
internal readonly record struct ServingFigures(double TokensPerSecond, double FirstSeconds, double LateFirstSeconds,
    double GapSeconds, double LongGapSeconds)
{
    /// <summary>The figures with their names.</summary>
    public IEnumerable<(string Name, double Value)> All =>
    [
        ("tokensPerSecond", TokensPerSecond), ("firstTokenSeconds50", FirstSeconds),
        ("firstTokenSeconds90", LateFirstSeconds), ("betweenTokensSeconds50", GapSeconds),
        ("betweenTokensSeconds99", LongGapSeconds),
    ];

    /// <summary>The figures of a run.</summary>
    public static ServingFigures Of(ServingForecast run)
    {
        var (first, gaps) = (run.FirstSeconds, run.GapSeconds);
        return new ServingFigures(run.TokensPerSecond, first.Median, first.Quantile(0.9), gaps.Median,
            gaps.Quantile(0.99));
    }

    /// <summary>The medians of several runs.</summary>
    public static ServingFigures Median(IReadOnlyCollection<ServingFigures> runs)
    {
        double Of(Func<ServingFigures, double> figure) => new Samples([.. runs.Select(figure)]).Median;
        return new ServingFigures(Of(run => run.TokensPerSecond), Of(run => run.FirstSeconds),
            Of(run => run.LateFirstSeconds), Of(run => run.GapSeconds), Of(run => run.LongGapSeconds));
    }
}

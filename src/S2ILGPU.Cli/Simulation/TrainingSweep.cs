using S2ILGPU.Cli.Drawing;
using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Cli.Training;

namespace S2ILGPU.Cli.Simulation;

/// <summary>Predicts the same training on more and more ranks: each data-parallel group keeps its micro-batches, so the
/// step learns from more tokens.</summary>
/// <param name="costs">The machine.</param>
/// <param name="failures">What fails; null for nothing.</param>
/// <param name="interval">Seconds between checkpoints; null for the best ones.</param>
/// <param name="seconds">Length of the played runs.</param>
/// <param name="seed">Seed of the failures.</param>
internal sealed class TrainingSweep(MachineCosts costs, FailureModel? failures, double? interval, double seconds,
    int seed)
{
    /// <summary>Ranks of a sweep: those of a group, twice as many and so on, and the most.</summary>
    /// <param name="together">Ranks of a data-parallel group.</param>
    /// <param name="most">The most ranks, a multiple of them.</param>
    public static IEnumerable<int> Ranks(int together, int most)
    {
        for (long ranks = together; ranks < most; ranks *= 2)
            yield return (int)ranks;
        yield return most;
    }

    /// <summary>Predicts a run.</summary>
    public TrainingForecast Predict(TrainingShape run, CancellationToken cancellation)
    {
        var traces = RankTrace.OfGroup(run, cancellation);
        var step = StepSimulation.Run(costs, run.Grid, traces);
        var memory = traces.MaxBy(trace => trace.Memory.Total)!.Memory;
        if (failures is null)
            return new TrainingForecast(run, step, memory, seconds, 1, new FailureForecast(1, 0));
        int ranks = run.Grid.Ranks;
        double between = interval ?? failures.BestInterval(ranks);
        return new TrainingForecast(run, step, memory, between, failures.ExpectedUsefulFraction(ranks, between),
            failures.Run(ranks, between, seconds, seed));
    }

    /// <summary>What a rank learns against the number of ranks, as an SVG document.</summary>
    public static string Plot(string title, IReadOnlyList<TrainingForecast> rows)
    {
        double first = rows[0].RankTokensPerSecond;
        return new SvgPlot(title, "ranks", $"tokens/s of a rank, {rows[0].Ranks} ranks = 1",
        [
            new PlotSeries("without failures", "#3b6fb6",
                [.. rows.Select(row => ((double)row.Ranks, row.RankTokensPerSecond / first))]) { HasMarkers = true },
            new PlotSeries("with failures and checkpoints", "#c4542d", [.. rows.Select(row =>
                ((double)row.Ranks, row.UsefulTokensPerSecond / row.Ranks / first))]) { HasMarkers = true },
        ]) { HasLogarithmicX = true, LegendIsLeft = true }.Render();
    }
}

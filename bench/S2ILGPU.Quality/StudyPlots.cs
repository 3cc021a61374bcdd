using S2ILGPU.Cli.Bench.Needle;
using S2ILGPU.Cli.Drawing;
using static System.FormattableString;

namespace S2ILGPU.Quality;

/// <summary>The results as pictures: means over seeds.</summary>
/// <param name="study">The study; runs that have not ended are left out.</param>
/// <param name="settings">Its sizes.</param>
internal sealed class StudyPlots(Study study, StudySettings settings)
{
    private const int Parts = 16;

    private static readonly string[] s_colours = ["#222222", "#3b6fb6", "#3c8d5a", "#8a5fb0", "#c4542d", "#c9a227"];

    /// <summary>Validation loss during training.</summary>
    public SvgPlot Curves() => new("Validation loss during training", "step", "nats per token",
        Lines(study.TextPlans, study.TextOf, result => [.. result.Curve.Select(point =>
            ((double)point.Step, point.Loss))])) { LegendIsBeside = true };

    /// <summary>Loss by position, minus dense's in the mean over seeds.</summary>
    public SvgPlot Positions()
    {
        int length = settings.ContextTokens / Parts;
        var lines = Lines(study.TextPlans, study.TextOf, result => [.. PositionLosses
            .ByPart(result.PositionLosses, Parts).Select((loss, part) => ((part + 0.5) * length, loss))]);
        return new SvgPlot("Validation loss by position, minus dense", "position in the context, tokens",
            "nats per token", [.. lines.Select(line => line with
            {
                Points = [.. line.Points.Zip(lines[0].Points, (own, dense) => (own.X, own.Y - dense.Y))],
            })]) { LegendIsBeside = true };
    }

    /// <summary>Needles found by depth in the longest texts.</summary>
    public SvgPlot Recall()
    {
        int longest = settings.Recall.Lengths.Count - 1;
        return new SvgPlot(Invariant($"Needles found in {settings.Recall.Lengths[^1]} tokens"),
            "tokens before the question", "%", [.. Lines(study.RecallPlans, study.RecallOf, result =>
                [.. Enumerable.Range(0, NeedleGrid.Depths).Select(depth =>
                    (settings.Recall.Lengths[^1] * (1 - depth / (NeedleGrid.Depths - 1.0)),
                        100 * result.Fraction(longest, depth..(depth + 1))))])
                .Select(line => line with { HasMarkers = true })]) { LegendIsBeside = true };
    }

    private static PlotSeries[] Lines<T>(StudyPlan[] plans, Func<StudyPlan, IReadOnlyList<(int Seed, T Result)>> runs,
        Func<T, IReadOnlyList<(double X, double Y)>> line) => [.. plans.Select((plan, i) =>
        {
            var lines = runs(plan).Select(run => line(run.Result)).ToArray();
            return new PlotSeries(plan.Name, s_colours[i % s_colours.Length], lines.Length == 0 ? []
                : [.. lines[0].Select((point, at) => (point.X, lines.Average(each => each[at].Y)))]);
        })];
}

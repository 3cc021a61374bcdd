using S2ILGPU.Cli.Bench.Device;
using S2ILGPU.Cli.Drawing;

namespace S2ILGPU.Cli.Bench.Report;

/// <summary>A plot of a report.</summary>
/// <param name="Section">The section that it stands in.</param>
/// <param name="File">Name of the file.</param>
/// <param name="Title">Its title.</param>
/// <param name="Svg">The picture.</param>
internal sealed record ReportPlot(string Section, string File, string Title, string Svg);

/// <summary>The plots of a report, each with what the machine or the work allows as a dashed line.</summary>
internal static class ReportPlots
{
    private const string Limit = "#777777";

    /// <summary>All plots that have points.</summary>
    public static IReadOnlyList<ReportPlot> Of(MachineReport report)
    {
        var plots = new List<ReportPlot>();
        foreach (string work in (string[])["forward", "backward"])
        {
            DeviceEntry[] entries = [.. report.AttentionOf(work)];
            Add(work, $"{work}-speed-up.svg", $"Attention {work}: sparse over dense", "times as fast",
                SpeedUps(entries), isLeft: true);
            Add(work, $"{work}-rate.svg", $"Attention {work}: rate beside the peak", "GFLOP/s",
                Rates(entries, e => e.TeraFlops * 1e3, "peak", report.Facts.Peak));
        }
        DeviceEntry[] decode = [.. report.AttentionOf("decode")];
        Add("decode", "decode-speed-up.svg", "Decoding: sparse over dense", "times as fast", SpeedUps(decode),
            isLeft: true);
        Add("decode", "decode-rate.svg", "Decoding: kept keys and values beside plain reading", "GB/s",
            Rates(decode, e => e.GigabytesPerSecond, "plain reading", report.Facts.Limits.Read.Rate));
        if (report.Products.Count > 0)
            plots.Add(new ReportPlot("products", "products.svg", "Matrix products",
                BenchPlots.FractionsOfPeak(report.Products.Select(OfPeak),
                    "Matrix products as fractions of the machine's peak")));
        Add("layouts", "layouts.svg", "Building a layout beside a forward pass over it", "% of the forward pass",
            Layouts(report.Layouts));
        Add("training", "training.svg", "Training step: over dense", "times as fast",
            ModelSpeedUps([.. report.Training]), isLeft: true);
        Add("generation", "generation.svg", "Generation: over dense", "times as fast",
            ModelSpeedUps([.. report.Generation]), isLeft: true);
        return plots;

        void Add(string section, string file, string title, string unit, List<PlotSeries> series, bool isLeft = false)
        {
            if (series.Any(line => line.Points.Count > 0))
                plots.Add(new ReportPlot(section, file, title, new SvgPlot(title, "tokens", unit, series)
                {
                    Remark = BenchPlots.RemarkOn(series),
                    HasLogarithmicX = true,
                    LegendIsLeft = isLeft,
                    LegendIsBeside = !isLeft,
                    StartsAtZero = !isLeft,
                }.Render()));
        }
    }

    private static List<PlotSeries> SpeedUps(DeviceEntry[] entries)
    {
        var lines = new List<SpeedUpLine>();
        foreach (var line in entries.Where(e => e.SpeedUp is not null).GroupBy(e => (e.Shape.Pattern, e.Shape.HeadDim)))
            lines.Add(new SpeedUpLine(line.Key.Pattern, $"{line.Key.Pattern}, D{line.Key.HeadDim}",
                [.. line.Select(e => new SpeedUp(e.Shape.Pattern, e.Shape.Tokens, e.SpeedUp!.Value, e.Ceiling))]));
        return SpeedUps(lines);
    }

    private static List<PlotSeries> ModelSpeedUps(ModelEntry[] entries) => SpeedUps([.. entries
        .Where(e => e.SpeedUp is not null).GroupBy(e => e.Attention)
        .Select(line => new SpeedUpLine(line.Key, line.Key,
            [.. line.Select(e => new SpeedUp(e.Attention, e.Tokens, e.SpeedUp!.Value, e.Ceiling))]))]);

    // A ceiling is that of a pattern: whatever D is, the blocks are the same. It is drawn over the most lengths.
    private static List<PlotSeries> SpeedUps(List<SpeedUpLine> lines)
    {
        var series = new List<PlotSeries>();
        foreach (var (i, line) in lines.Index())
        {
            string colour = BenchPlots.Colours[i % BenchPlots.Colours.Count];
            series.Add(BenchPlots.SpeedUpLine(line.Name, colour, line.Points));
            if (line == lines.Where(other => other.Pattern == line.Pattern).MaxBy(other => other.Points.Count))
                series.Add(new PlotSeries($"{line.Pattern}, ceiling", colour,
                    [.. line.Points.Select(p => ((double)p.Tokens, p.Ceiling))], IsDashed: true));
        }
        return series;
    }

    private static List<PlotSeries> Rates(DeviceEntry[] entries, Func<DeviceEntry, double> rate, string limitName,
        double limit)
    {
        var series = new List<PlotSeries>();
        foreach (var line in entries.GroupBy(e => (e.Shape.Pattern, e.Shape.HeadDim)))
            series.Add(new PlotSeries($"{line.Key.Pattern}, D{line.Key.HeadDim}",
                BenchPlots.Colours[series.Count % BenchPlots.Colours.Count],
                [.. line.Select(e => ((double)e.Shape.Tokens, rate(e)))]) { HasMarkers = true });
        AddLimit(series, limitName, limit);
        return series;
    }

    private static List<PlotSeries> Layouts(IReadOnlyList<LayoutEntry> entries)
    {
        List<PlotSeries> series = [new("rows and columns", BenchPlots.Colours[0],
            [.. entries.Select(e => ((double)e.Tokens, 100 * e.OfForward.Median))]) { HasMarkers = true }];
        AddLimit(series, "most that is good", 100 / Targets.ForwardOverLayout);
        return series;
    }

    private static void AddLimit(List<PlotSeries> series, string name, double limit)
    {
        double[] tokens = [.. series.SelectMany(line => line.Points).Select(point => point.X).Distinct().Order()];
        series.Add(new PlotSeries(name, Limit, [.. tokens.Select(x => (x, limit))], IsDashed: true));
    }

    private sealed record SpeedUpLine(string Pattern, string Name, IReadOnlyList<SpeedUp> Points);

    private static Figure OfPeak(ProductEntry entry) => new(
        $"{entry.Shape.Name}, {entry.Work}, {entry.ElementType}, {entry.Shape.M} x {entry.Shape.N} x {entry.Shape.K}",
        entry.OfLimit?.Median, null, Figure.OfPeak, entry.OfLimit?.Spread);
}

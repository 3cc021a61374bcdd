using System.Globalization;
using System.Security;
using System.Text;
using S2ILGPU.Cli.Drawing;

namespace S2ILGPU.Cli.Bench;

/// <summary>The pictures of a report.</summary>
internal static class BenchPlots
{
    // Neither the colour of a pass nor that of a miss.
    private const string Unsteady = "#999999";

    /// <summary>Colours of lines, in order.</summary>
    public static IReadOnlyList<string> Colours { get; } = ["#3b6fb6", "#c4542d", "#3c8d5a", "#8a5fb0", "#b0892d",
        "#2f9aa0"];

    /// <summary>Speed-up of sparse over dense attention against the length, with the ceilings.</summary>
    public static string SpeedUps(IReadOnlyList<SpeedUp> points)
    {
        var series = new List<PlotSeries>();
        foreach (var pattern in points.GroupBy(p => p.Pattern))
        {
            string colour = Colours[series.Count / 2 % Colours.Count];
            series.Add(SpeedUpLine(pattern.Key, colour, [.. pattern]));
            series.Add(new PlotSeries($"{pattern.Key}, ceiling", colour,
                [.. pattern.Select(p => ((double)p.Tokens, p.Ceiling))], IsDashed: true));
        }
        return new SvgPlot("Sparse over dense attention, forward", "tokens", "times as fast",
            series) { HasLogarithmicX = true, LegendIsLeft = true, Remark = RemarkOn(series) }.Render();
    }

    /// <summary>A line of speed-ups, none drawn above its ceiling: more than that says that dense attention waited, and
    /// nothing about the pattern.</summary>
    public static PlotSeries SpeedUpLine(string name, string colour, IReadOnlyList<SpeedUp> points) =>
        new(name, colour, [.. points.Select(p => ((double)p.Tokens, Math.Min(p.Ratio, p.Ceiling)))])
    {
        HasMarkers = true,
        Capped = [.. points.Where(p => p.Ratio > p.Ceiling).Select(p => (double)p.Tokens)],
    };

    /// <summary>What rings of <see cref="SpeedUpLine"/> mean; empty where there are none.</summary>
    public static string RemarkOn(IEnumerable<PlotSeries> series) => series.Any(line => line.Capped.Count > 0)
        ? "Rings: at the ceiling. More was measured, because dense waited for memory or a busy machine." : "";

    /// <summary>A dot for every figure that is a fraction of peak, and a tick where its target is.</summary>
    public static string FractionsOfPeak(IEnumerable<Figure> figures, string title =
        "Fraction of the machine's peak; ticks are targets")
    {
        const double RowHeight = 18, Left = 470, Right = 24, Top = 44, Width = 920;
        var rows = figures.Where(f => f is { Unit: Figure.OfPeak, Value: not null }).ToArray();
        double bottom = Top + RowHeight * rows.Length, height = bottom + 34;
        var svg = new StringBuilder();
        string size = $"{F(Width)} {F(height)}";
        svg.AppendLine(
            $"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-family="system-ui, sans-serif" font-size="12">""");
        svg.AppendLine("""<rect width="100%" height="100%" fill="white"/>""");
        svg.AppendLine(
            $"""<text x="16" y="26" font-size="16" font-weight="600" fill="#222">{SecurityElement.Escape(title)}</text>""");
        for (int percent = 0; percent <= 100; percent += 10)
        {
            string x = F(X(percent));
            svg.AppendLine($"""<line x1="{x}" y1="{F(Top)}" x2="{x}" y2="{F(bottom)}" stroke="#e4e4e4"/>""");
            svg.AppendLine(
                $"""<text x="{x}" y="{F(bottom + 18)}" text-anchor="middle" fill="#555">{percent} %</text>""");
        }
        for (int i = 0; i < rows.Length; i++)
        {
            double y = Top + RowHeight * (i + 0.5), value = 100 * Math.Clamp(rows[i].Value!.Value, 0, 1);
            string colour = Colour(rows[i].Verdict), name = SecurityElement.Escape(rows[i].Name);
            svg.AppendLine($"""<text x="{F(Left - 10)}" y="{F(y + 4)}" text-anchor="end" fill="#333">{name}</text>""");
            svg.AppendLine(
                $"""<line x1="{F(X(0))}" y1="{F(y)}" x2="{F(X(value))}" y2="{F(y)}" stroke="{colour}" opacity="0.35"/>""");
            svg.AppendLine($"""<circle cx="{F(X(value))}" cy="{F(y)}" r="4" fill="{colour}"/>""");
            if (rows[i].Target is not { } target)
                continue;
            string at = F(X(100 * target));
            svg.AppendLine(
                $"""<line x1="{at}" y1="{F(y - 6)}" x2="{at}" y2="{F(y + 6)}" stroke="#222" stroke-width="1.5"/>""");
        }
        svg.AppendLine("</svg>");
        return svg.ToString();

        static string Colour(Verdict verdict) => verdict switch
        {
            Verdict.Miss => Colours[1],
            Verdict.Unsteady => Unsteady,
            _ => Colours[0],
        };

        static double X(double percent) => Left + percent / 100 * (Width - Left - Right);
        static string F(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);
    }
}

using System.Globalization;
using System.Text;

namespace S2ILGPU.Cli.Drawing;

/// <summary>A line of a plot.</summary>
/// <param name="Name">Name in the legend.</param>
/// <param name="Colour">SVG colour.</param>
/// <param name="Points">Points in the units of the axes.</param>
/// <param name="IsFaint">Drawn thin and pale: raw data behind a smoothed line.</param>
/// <param name="IsDashed">Drawn dashed: a bound rather than a measurement.</param>
internal sealed record PlotSeries(string Name, string Colour, IReadOnlyList<(double X, double Y)> Points,
    bool IsFaint = false, bool IsDashed = false)
{
    /// <summary>Whether every point is marked by a dot.</summary>
    public bool HasMarkers { get; init; }

    /// <summary>Where on the x axis a mark is a ring: the point is drawn lower than it was measured.</summary>
    public IReadOnlyCollection<double> Capped { get; init; } = [];
}

/// <summary>Draws lines as an SVG document, over linear axes unless said otherwise.</summary>
/// <param name="Title">Title above the plot.</param>
/// <param name="XLabel">Label of the x axis, with its unit.</param>
/// <param name="YLabel">Label of the y axis, with its unit.</param>
/// <param name="Series">The lines, drawn in order.</param>
internal sealed record SvgPlot(string Title, string XLabel, string YLabel, IReadOnlyList<PlotSeries> Series)
{
    private const double Width = 760, Height = 420, Left = 64, Top = 46, Bottom = 52;

    /// <summary>Whether equal distances on the x axis are equal factors, with a tick at every power of two.</summary>
    public bool HasLogarithmicX { get; init; }

    /// <summary>Whether the legend is at the left, for lines that end high.</summary>
    public bool LegendIsLeft { get; init; }

    /// <summary>Whether the legend is beside the lines, for many that fill the plot.</summary>
    public bool LegendIsBeside { get; init; }

    /// <summary>A sentence under the title; empty for none.</summary>
    public string Remark { get; init; } = "";

    /// <summary>Whether the y axis begins at 0, for parts of a whole.</summary>
    public bool StartsAtZero { get; init; }

    private double Right => LegendIsBeside ? 170 : 24;

    /// <summary>The SVG document.</summary>
    public string Render()
    {
        var points = Series.SelectMany(s => s.Points)
            .Where(p => double.IsFinite(p.X) && double.IsFinite(p.Y)).ToArray();
        var x = HasLogarithmicX ? Axis.OverPowersOfTwo(points.Select(p => p.X)) : Axis.Over(points.Select(p => p.X));
        var y = Axis.Over([.. points.Select(p => p.Y), .. StartsAtZero ? (double[])[0] : []]);
        var svg = new StringBuilder();
        svg.AppendLine(
            $"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {F(Width)} {F(Height)}" font-family="system-ui, sans-serif" font-size="12">""");
        svg.AppendLine($"""<rect width="100%" height="100%" fill="white"/>""");
        svg.AppendLine(
            $"""<text x="{F(Left)}" y="26" font-size="16" font-weight="600" fill="#222">{Escape(Title)}</text>""");
        if (Remark.Length > 0)
            svg.AppendLine($"""<text x="{F(Left)}" y="41" font-size="11" fill="#555">{Escape(Remark)}</text>""");
        AppendAxes(svg, x, y);
        foreach (var series in Series.Where(s => s.Points.Count > 0))
            AppendLine(svg, series, x, y);
        AppendLegend(svg);
        svg.AppendLine("</svg>");
        return svg.ToString();
    }

    private void AppendAxes(StringBuilder svg, Axis x, Axis y)
    {
        double bottom = Height - Bottom, right = Width - Right;
        foreach (double tick in y.Ticks)
        {
            double at = ToY(tick, y);
            svg.Append($"""<line x1="{F(Left)}" y1="{F(at)}" x2="{F(right)}" y2="{F(at)}" stroke="#e4e4e4"/>""");
            svg.AppendLine(
                $"""<text x="{F(Left - 8)}" y="{F(at + 4)}" text-anchor="end" fill="#555">{Number(tick)}</text>""");
        }
        foreach (double tick in x.Ticks)
        {
            double at = ToX(tick, x);
            svg.Append($"""<line x1="{F(at)}" y1="{F(bottom)}" x2="{F(at)}" y2="{F(bottom + 5)}" stroke="#999"/>""");
            svg.AppendLine(
                $"""<text x="{F(at)}" y="{F(bottom + 19)}" text-anchor="middle" fill="#555">{Number(tick)}</text>""");
        }
        svg.AppendLine($"""<line x1="{F(Left)}" y1="{F(bottom)}" x2="{F(right)}" y2="{F(bottom)}" stroke="#999"/>""");
        svg.AppendLine(
            $"""<text x="{F((Left + right) / 2)}" y="{F(Height - 14)}" text-anchor="middle" fill="#333">{Escape(XLabel)}</text>""");
        svg.AppendLine(
            $"""<text transform="translate(18 {F((Top + bottom) / 2)}) rotate(-90)" text-anchor="middle" fill="#333">{Escape(YLabel)}</text>""");
    }

    private void AppendLine(StringBuilder svg, PlotSeries series, Axis x, Axis y)
    {
        string path = string.Join(' ', series.Points.Where(p => double.IsFinite(p.Y))
            .Select(p => $"{F(ToX(p.X, x))},{F(ToY(p.Y, y))}"));
        string style = series.IsFaint ? "stroke-width=\"1\" opacity=\"0.3\"" : series.IsDashed
            ? "stroke-width=\"1.5\" stroke-dasharray=\"6 4\"" : "stroke-width=\"2\"";
        svg.AppendLine($"""<polyline fill="none" stroke="{series.Colour}" {style} points="{path}"/>""");
        if (series.HasMarkers)
            foreach (var point in series.Points.Where(p => double.IsFinite(p.Y)))
            {
                string fill = series.Capped.Contains(point.X) ? $"white\" stroke=\"{series.Colour}" : series.Colour;
                svg.AppendLine(
                    $"""<circle cx="{F(ToX(point.X, x))}" cy="{F(ToY(point.Y, y))}" r="3.5" fill="{fill}"/>""");
            }
    }

    private void AppendLegend(StringBuilder svg)
    {
        double at = LegendIsLeft ? Left + 16 : LegendIsBeside ? Width - Right + 16 : Width - Right - 170;
        int row = 0;
        foreach (var series in Series.Where(s => s.Points.Count > 0 && !s.IsFaint))
        {
            double height = Top + 14 + 18 * row++;
            string dash = series.IsDashed ? " stroke-dasharray=\"6 4\"" : "";
            svg.Append(
                $"""<line x1="{F(at)}" y1="{F(height)}" x2="{F(at + 24)}" y2="{F(height)}" stroke="{series.Colour}" stroke-width="2"{dash}/>""");
            svg.AppendLine($"""<text x="{F(at + 30)}" y="{F(height + 4)}" fill="#333">{Escape(series.Name)}</text>""");
        }
    }

    private double ToX(double value, Axis axis) => Left + axis.Fraction(value) * (Width - Left - Right);

    private static double ToY(double value, Axis axis) =>
        Height - Bottom - axis.Fraction(value) * (Height - Top - Bottom);

    private static string F(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    private static string Number(double value) => value.ToString("#,0.####", CultureInfo.InvariantCulture);

    private static string Escape(string text) => System.Security.SecurityElement.Escape(text);

    /// <summary>A linear axis with round ticks, or one over the logarithms to base 2.</summary>
    private readonly record struct Axis(double Minimum, double Maximum, double Step, bool IsLogarithmic = false)
    {
        public static Axis OverPowersOfTwo(IEnumerable<double> values)
        {
            double[] all = [.. values.Where(v => v > 0).Select(Math.Log2)];
            double minimum = all.Length == 0 ? 0 : Math.Floor(all.Min()), maximum = all.Length == 0 ? 1
                : Math.Ceiling(all.Max());
            return new Axis(minimum, Math.Max(maximum, minimum + 1), 1, IsLogarithmic: true);
        }

        public static Axis Over(IEnumerable<double> values)
        {
            double[] all = [.. values];
            double minimum = all.Length == 0 ? 0 : all.Min(), maximum = all.Length == 0 ? 1 : all.Max();
            double span = Math.Max(maximum - minimum, 1e-6), raw = span / 6,
                magnitude = Math.Pow(10, Math.Floor(Math.Log10(raw)));
            double step = magnitude * ((raw / magnitude) switch { < 1.5 => 1, < 3.5 => 2, < 7.5 => 5, _ => 10 });
            return new Axis(Math.Floor(minimum / step) * step,
                Math.Max(Math.Ceiling(maximum / step), Math.Floor(minimum / step) + 1) * step, step);
        }

        public double Fraction(double value) =>
            ((IsLogarithmic ? Math.Log2(value) : value) - Minimum) / (Maximum - Minimum);

        public IEnumerable<double> Ticks
        {
            get
            {
                int count = (int)Math.Round((Maximum - Minimum) / Step);
                for (int i = 0; i <= count; i++)
                    yield return IsLogarithmic ? Math.Pow(2, Minimum + i * Step) : Minimum + i * Step;
            }
        }
    }
}

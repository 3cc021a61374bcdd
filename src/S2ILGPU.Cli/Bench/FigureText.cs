using System.Globalization;
using System.Text;
using Spectre.Console;

namespace S2ILGPU.Cli.Bench;

/// <summary>Figures for people: lines, terminal tables, Markdown.</summary>
internal static class FigureText
{
    /// <summary>A value in the unit of its figure: fractions in percent, times with an x.</summary>
    public static string Value(Figure figure, double? value) => value is not { } number ? "-"
        : IsFraction(figure) ? string.Create(CultureInfo.InvariantCulture, $"{number * 100:0.0} %")
        : number >= 100 ? string.Create(CultureInfo.InvariantCulture, $"{number:#,0}{Unit(figure)}")
        : string.Create(CultureInfo.InvariantCulture, $"{number:0.00}{Unit(figure)}");

    /// <summary>The unit where the value alone does not say it, the steady value of an unsteady figure, and the
    /// note.</summary>
    public static string Remarks(Figure figure)
    {
        string steady = figure.Verdict == Verdict.Unsteady ? $"steady {Value(figure, figure.Steady)}" : "";
        return string.Join("; ",
            new[] { IsFraction(figure) ? figure.Unit : "", steady, figure.Note }.Where(s => s.Length > 0));
    }

    /// <summary>Writes a group as lines of columns.</summary>
    public static void WriteLines(FigureGroup group, TextWriter output)
    {
        int width = group.Figures.Max(f => f.Name.Length);
        output.WriteLine($"{group.Title}");
        foreach (var f in group.Figures)
        {
            string line = $"  {f.Name.PadRight(width)}  {Value(f, f.Value),8}  {Target(f),12}  {f.Mark,-8}  "
                + $"{Spread(f),9}  {Remarks(f)}";
            output.WriteLine(line.TrimEnd());
        }
        output.WriteLine();
    }

    /// <summary>Shows a group on the terminal.</summary>
    public static void WriteTable(FigureGroup group)
    {
        var table = new Table { Border = TableBorder.Rounded, Title = new TableTitle(Markup.Escape(group.Title)) };
        table.AddColumns("figure", "value", "target", "", "spread", "");
        for (int column = 1; column <= 4; column++)
            table.Columns[column].RightAligned().NoWrap();
        foreach (var f in group.Figures)
        {
            string mark = f.Verdict switch
            {
                Verdict.Pass => $"[green]{f.Mark}[/]",
                Verdict.Miss => $"[red]{f.Mark}[/]",
                Verdict.Unsteady => $"[yellow]{f.Mark}[/]",
                _ => f.Mark,
            };
            table.AddRow(Markup.Escape(f.Name), Value(f, f.Value), Target(f), mark, Spread(f),
                Markup.Escape(Remarks(f)));
        }
        AnsiConsole.Write(table);
    }

    /// <summary>The report as a Markdown page.</summary>
    /// <param name="report">The report.</param>
    /// <param name="command">The command line.</param>
    /// <param name="plots">Files of the plots, beside the page.</param>
    public static string Markdown(BenchReport report, string command,
        params ReadOnlySpan<(string File, string Title)> plots)
    {
        var page = new StringBuilder();
        page.AppendLine($"# CPU benchmarks, {report.Machine.Title}").AppendLine();
        string commit = report.Commit is null ? "" : $", commit {report.Commit}";
        page.AppendLine($"`{command}`, {report.Date:yyyy-MM-dd}{commit}.").AppendLine();
        page.AppendLine($"Machine: {report.Machine}. Its own limits, measured in the same rounds, medians over the "
            + $"run: {report.Limits}.").AppendLine();
        if (report.Machine.Blocks.Length > 0)
            page.AppendLine(report.Machine.Blocks).AppendLine();
        page.AppendLine("""
            Medians; the spread is the width of the middle half of the measurements. Variants take turns in one process, so that ratios hold when the machine
            drifts. Multiplications and additions are counted over kept blocks: 4 x rows x columns x D forward, 10 x rows x columns x D backward.
            A speed-up stands beside its ceiling: blocks of dense over blocks of sparse attention.
            Unsteady: the median misses the target, but the measurements vary by more than 5 %, or the limit beside them does (the one that they are
            divided by, for ratios the peak), and their best tenth (the steady value) reaches it. Above: more than can be, a speed-up above its
            ceiling or a fraction above 100 %, because what it is compared with waited. Such figures are not judged. Figures that pass are not
            questioned so: read their spread.
            """);
        page.AppendLine().AppendLine($"{report.Summary}.").AppendLine();
        foreach (var (file, title) in plots)
            page.AppendLine($"![{title}]({file})").AppendLine();
        foreach (var group in report.Groups)
            AppendTable(page, group);
        foreach (string note in report.Notes)
            page.AppendLine(note).AppendLine();
        return page.ToString().TrimEnd() + "\n";
    }

    private static void AppendTable(StringBuilder page, FigureGroup group)
    {
        page.AppendLine($"## {char.ToUpperInvariant(group.Title[0])}{group.Title[1..]}").AppendLine();
        page.AppendLine("| figure | value | target | | spread | |").AppendLine("|---|---:|---:|---|---:|---|");
        foreach (var f in group.Figures)
            page.AppendLine(
                $"| {f.Name} | {Value(f, f.Value)} | {(f.Target is null ? "" : Value(f, f.Target))} | {f.Mark} | "
                + $"{Spread(f)} | {Remarks(f)} |");
        page.AppendLine();
    }

    private static string Unit(Figure figure) => figure.Unit == "x" ? "x" : " " + figure.Unit;

    // Units such as "of peak".
    private static bool IsFraction(Figure figure) => figure.Unit.StartsWith("of ", StringComparison.Ordinal);

    private static string Target(Figure figure) => figure.Target is null ? "" : $">= {Value(figure, figure.Target)}";

    private static string Spread(Figure figure) => figure.Spread is null ? "" : $"+-{Value(figure, figure.Spread / 2)}";
}

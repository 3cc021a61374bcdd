using System.Text;
using S2ILGPU.Layouts;

namespace S2ILGPU.Cli.Drawing;

/// <summary>A pattern as text with Spectre.Console markup: one grid of blocks per head, side by side, then the
/// checks.</summary>
internal static class PatternText
{
    private const int MaxBlocks = 64, MaxHeads = 16, Gap = 3;

    /// <summary>The grids and the checks.</summary>
    /// <param name="comparison">What to show.</param>
    /// <param name="width">Columns of the terminal.</param>
    public static string Render(PatternComparison comparison, int width)
    {
        var report = comparison.Chosen;
        var layout = report.Layout;
        int blocks = Math.Min(layout.KeyBlocks, MaxBlocks), heads = Math.Min(layout.Heads, MaxHeads);
        int panel = Math.Max(blocks, "head 00".Length) + Gap, perLine = Math.Max(1, (width + Gap) / panel);

        var text = new StringBuilder();
        text.AppendLine($"[bold]{layout.Pattern}[/]");
        text.AppendLine($"{layout.Tokens} tokens, {layout.KeyBlocks} blocks").AppendLine();
        for (int first = 0; first < heads; first += perLine)
            AppendPanels(text, layout, blocks, first, Math.Min(first + perLine, heads), panel);
        text.AppendLine(
            $"[green]#[/] kept   {(layout.IsCausal ? "[blue]\\[/] kept, masked by token   " : "")}[grey].[/] not kept");
        if (blocks < layout.KeyBlocks)
            text.AppendLine($"first {blocks} of {layout.KeyBlocks} blocks shown, --format json has all of them");
        if (heads < layout.Heads)
            text.AppendLine($"first {heads} of {layout.Heads} heads shown, --format json has all of them");
        text.AppendLine();
        AppendChecks(text, report);
        AppendOther(text, comparison.Other);
        return text.ToString();
    }

    private static void AppendPanels(StringBuilder text, BlockLayout layout, int blocks, int firstHead,
        int endHead, int panel)
    {
        for (int head = firstHead; head < endHead; head++)
            text.Append($"head {head}".PadRight(head < endHead - 1 ? panel : 0));
        text.AppendLine();
        for (int queryBlock = 0; queryBlock < blocks; queryBlock++)
        {
            for (int head = firstHead; head < endHead; head++)
            {
                AppendRow(text, layout, head, queryBlock, blocks);
                text.Append(' ', head < endHead - 1 ? panel - blocks : 0);
            }
            while (text[^1] == ' ')
                text.Length--;
            text.AppendLine();
        }
        text.AppendLine();
    }

    private static void AppendRow(StringBuilder text, BlockLayout layout, int head, int queryBlock, int blocks)
    {
        Span<char> cells = stackalloc char[blocks];
        cells.Fill(layout.IsCausal ? ' ' : '.');
        cells[..(queryBlock + 1)].Fill('.');
        var row = layout.Row(head, queryBlock);
        foreach (int keyBlock in row.Full)
            if (keyBlock < blocks)
                cells[keyBlock] = '#';
        foreach (int keyBlock in row.Partial)
            cells[keyBlock] = '\\';
        for (int start = 0, end; start < blocks; start = end) // one pair of tags around each run of equal cells
        {
            char cell = cells[start];
            for (end = start + 1; end < blocks && cells[end] == cell;)
                end++;
            string run = new(cell, end - start);
            text.Append(cell switch { '#' => $"[green]{run}[/]", '\\' => $"[blue]{run}[/]", '.' => $"[grey]{run}[/]",
                _ => run });
        }
    }

    private static void AppendChecks(StringBuilder text, PatternReport report)
    {
        var coverage = report.Coverage;
        text.AppendLine(
            $"kept             {report.KeptBlocks} of {report.DenseBlocks} blocks, {100 * report.KeptFraction:F1} % "
            + $"of dense");
        text.AppendLine($"dense / sparse   {report.DenseOverSparse:F2}x, the ceiling of any speed-up");
        text.AppendLine($"coverage         {(coverage.IsComplete ? "[green]" : "[red]")}{coverage}[/]");
        text.AppendLine(
            $"cache            {(report.IsCacheEfficient ? "cache-efficient" : "not cache-efficient")}, decoding "
            + $"keeps {Cache(report)}");
        text.AppendLine($"load balance     {report.LoadImbalance:F2} (most over mean kept blocks of a head)");
        text.AppendLine($"empty rows       {report.EmptyRows}");
    }

    // Coverage and cache may conflict: what the other way to slide would give.
    private static void AppendOther(StringBuilder text, PatternReport other) =>
        text.AppendLine($"--slide-by {PatternComparison.SlideBy(other),-5} would give coverage {other.Coverage}; "
            + $"decoding would keep {Cache(other)}");

    private static string Cache(PatternReport report)
    {
        int least = report.KeptCacheBlocks.Min(), most = report.KeptCacheBlocks.Max();
        return $"{(least == most ? $"{least}" : $"{least} to {most}")} of {report.Layout.KeyBlocks} blocks per KV head "
            + $"({100 * report.KeptCacheFraction:F1} %)";
    }
}

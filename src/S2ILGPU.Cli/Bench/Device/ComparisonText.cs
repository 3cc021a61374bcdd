using System.Globalization;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>A comparison as a table for people.</summary>
internal static class ComparisonText
{
    private const string Legend =
        "ms: median of a call. speed-up: our dense time over ours; ceiling: dense blocks over kept blocks. "
        + "(nx): the peer's time over ours, above 1 we are faster. dense: the peer computed all blocks, having no "
            + "time for the pattern.";

    /// <summary>Writes aligned columns.</summary>
    public static void WriteText(PeerComparison comparison, TextWriter output)
    {
        var table = Table(comparison);
        int[] widths = [.. Enumerable.Range(0, table[0].Length).Select(column => table.Max(row => row[column].Length))];
        output.WriteLine(Devices(comparison));
        foreach (string[] row in table)
            output.WriteLine(string.Join("  ",
                row.Select((cell, column) => column < 2 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column])))
                .TrimEnd());
        output.WriteLine(Legend);
        foreach (string line in Remarks(comparison))
            output.WriteLine(line);
    }

    /// <summary>Writes a Markdown table.</summary>
    public static void WriteMarkdown(PeerComparison comparison, TextWriter output)
    {
        var table = Table(comparison);
        output.WriteLine($"{Devices(comparison)}\n");
        output.WriteLine($"| {string.Join(" | ", table[0])} |");
        output.WriteLine($"|{string.Concat(table[0].Select((_, column) => column < 2 ? "---|" : "---:|"))}");
        foreach (string[] row in table[1..])
            output.WriteLine($"| {string.Join(" | ", row)} |");
        output.WriteLine($"\n{Legend}");
        foreach (string line in Remarks(comparison))
            output.WriteLine($"\n- {line}");
    }

    private static string Devices(PeerComparison comparison) =>
        $"ours on {comparison.Ours}, peers on {comparison.Theirs}";

    private static string[][] Table(PeerComparison comparison) =>
    [
        ["shape", "pattern", "ours ms", "dense ms", "speed-up", "ceiling", .. comparison.Peers],
        .. comparison.Rows.Select(row =>
            (string[])[row.Shape.Size, row.Shape.Pattern, Milliseconds(row.Milliseconds),
            row.DenseMilliseconds is { } dense ? Milliseconds(dense) : "-",
            Times(row.SpeedUp), Times(row.Ceiling),
                .. comparison.Peers.Select(peer => Cell(row.Peers.FirstOrDefault(p => p.Peer == peer)))]),
    ];

    private static string Cell(PeerTime? time) => time is null ? "-"
        : $"{(time.IsDense ? "dense " : "")}{Milliseconds(time.Milliseconds)} ({Times(time.Ratio)})";

    private static IEnumerable<string> Remarks(PeerComparison comparison)
    {
        foreach (var shape in comparison.OnlyOurs)
            yield return $"without a peer: {shape}";
        foreach (var time in comparison.OnlyTheirs)
            yield return $"not measured by us: {time.Shape} of {time.Implementation}";
        foreach (string reason in comparison.Skipped)
            yield return $"left out by the peers: {reason}";
    }

    private static string Milliseconds(double value) =>
        value.ToString(value < 10 ? "0.000" : "0.0", CultureInfo.InvariantCulture);

    private static string Times(double? ratio) =>
        ratio is null ? "-" : string.Create(CultureInfo.InvariantCulture, $"{ratio:0.00}x");
}

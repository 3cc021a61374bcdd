using System.Globalization;
using System.Text;
using S2ILGPU.Cli.Bench.Device;
using static System.FormattableString;

namespace S2ILGPU.Cli.Bench.Report;

/// <summary>The tables of a report. Every number is one of its JSON, rounded.</summary>
internal static class ReportTables
{
    private static readonly string[] s_speedUps = ["over dense", "+-", "ceiling", "of ceiling"];

    /// <summary>The figures of the first table.</summary>
    public static string Headlines(MachineReport report) => Table(1, ["", .. s_speedUps, "counted"],
        report.Headlines.Select(h => (string[])[h.Name,
            .. h.SpeedUp is null ? (string[])["left out", "", "", ""] : SpeedUp(h.SpeedUp, h.Spread, h.Ceiling),
            h.Remark]));

    /// <summary>Attention forward, backward or decoding.</summary>
    public static string Attention(IEnumerable<DeviceEntry> entries) =>
        Table(3, ["D", "tokens", "pattern", "ms", "+-", "GFLOP/s", "of peak", "+-", .. s_speedUps],
            entries.Select(e => (string[])[$"{e.Shape.HeadDim}", Count(e.Shape.Tokens), e.Shape.Pattern,
                .. Time(e.Milliseconds, e.Spread), Invariant($"{e.TeraFlops * 1e3:0.0}"), .. Of(e.OfLimit),
                .. SpeedUp(e.SpeedUp, e.SpeedUpSpread, e.Ceiling)]));

    /// <summary>Decoding steps of attention, with the bytes that they count.</summary>
    public static string Decode(IEnumerable<DeviceEntry> entries) =>
        Table(3, ["sequences", "positions", "pattern", "ms", "+-", "MB per token and layer", "GB/s",
            "of plain reading", "+-", .. s_speedUps],
            entries.Select(e => (string[])[$"{e.Shape.Sequences}", Count(e.Shape.Tokens), e.Shape.Pattern,
                .. Time(e.Milliseconds, e.Spread), Invariant($"{e.KeptBytes / e.Shape.Sequences / 1e6:0.00}"),
                Invariant($"{e.GigabytesPerSecond:0.0}"), .. Of(e.OfLimit),
                .. SpeedUp(e.SpeedUp, e.SpeedUpSpread, e.Ceiling)]));

    /// <summary>Matrix products.</summary>
    public static string Products(IEnumerable<ProductEntry> entries) =>
        Table(4, ["product", "work", "type", "M x N x K", "ms", "+-", "GFLOP/s", "of peak", "+-"],
            entries.Select(e => (string[])[e.Shape.Name, e.Work, e.ElementType,
                $"{e.Shape.M} x {e.Shape.N} x {e.Shape.K}", .. Time(e.Milliseconds, e.Spread),
                Invariant($"{e.TeraFlops * 1e3:0.0}"), .. Of(e.OfLimit)]));

    /// <summary>Building layouts.</summary>
    public static string Layouts(IEnumerable<LayoutEntry> entries) =>
        Table(1, ["tokens", "rows, ms", "+-", "rows and columns, ms", "+-", "forward, ms", "of the forward pass",
            "+-"],
            entries.Select(e => (string[])[Count(e.Tokens), .. Time(e.RowsMs, e.RowsSpread),
                .. Time(e.BothMs, e.BothSpread), Ms(e.ForwardMs), Invariant($"{100 * e.OfForward.Median:0.00} %"),
                Invariant($"{50 * e.OfForward.Spread:0.00} %")]));

    /// <summary>Training steps.</summary>
    public static string Training(IEnumerable<ModelEntry> entries) =>
        Table(2, ["tokens", "attention", "ms", "+-", "tokens/s", "of peak", "+-", .. s_speedUps],
            entries.Select(e => (string[])[Count(e.Tokens), e.Attention, .. Time(e.Milliseconds, e.Spread),
                Invariant($"{e.TokensPerSecond:#,0}"), .. Of(e.OfLimit),
                .. SpeedUp(e.SpeedUp, e.SpeedUpSpread, e.Ceiling)]));

    /// <summary>Decoding steps of whole models, with the bytes that they count.</summary>
    public static string Generation(IEnumerable<ModelEntry> entries) =>
        Table(2, ["positions", "attention", "ms", "+-", "tokens/s", "MB per token", "of plain reading", "+-",
            .. s_speedUps],
            entries.Select(e => (string[])[Count(e.Tokens), e.Attention, .. Time(e.Milliseconds, e.Spread),
                Invariant($"{e.TokensPerSecond:0.0}"), Invariant($"{e.Bytes / e.Sequences / 1e6:0.0}"),
                .. Of(e.OfLimit), .. SpeedUp(e.SpeedUp, e.SpeedUpSpread, e.Ceiling)]));

    /// <summary>A peer beside ours.</summary>
    public static string Peer(PeerFigures peer) =>
        Table(2, ["figure", "ours", "ours, ms", "peer, ms", "peer / ours", "+-", ""],
            peer.Figures.Select(f => (string[])[f.Name, f.Ours, Ms(f.OursMs), Ms(f.PeerMs), Times(f.Ratio),
                Times(f.Spread / 2), f.Note]));

    /// <summary>Products of ours over those of OpenBLAS.</summary>
    public static string OverOpenBlas(IEnumerable<Figure> figures) =>
        Table(1, ["figure", "times as fast", "+-"],
            figures.Select(f => (string[])[f.Name, Times(f.Value), Times(f.Spread / 2)]));

    // The first columns are of words, the others of numbers.
    private static string Table(int words, string[] header, IEnumerable<string[]> rows)
    {
        var table = new StringBuilder();
        string[][] all = [.. rows];
        if (all.Length == 0)
            return "Left out, see below.\n";
        table.AppendLine($"| {string.Join(" | ", header)} |");
        table.AppendLine($"|{string.Concat(header.Select((_, column) => column < words ? "---|" : "---:|"))}");
        foreach (string[] row in all)
            table.AppendLine($"| {string.Join(" | ", row.Select(cell => cell.Replace("|", "\\|")))} |");
        return table.ToString();
    }

    private static string[] Time(double milliseconds, double spread) => [Ms(milliseconds), Ms(spread / 2)];

    private static string[] Of(OfLimit? fraction) => fraction is null ? ["-", ""]
        : [Percent(fraction.Median), Percent(fraction.Spread / 2)];

    private static string[] SpeedUp(double? speedUp, double? spread, double? ceiling) => speedUp is null
        ? ["", "", "", ""] : [Times(speedUp), Times(spread / 2), Times(ceiling), Percent(speedUp / ceiling)];

    private static string Ms(double milliseconds) => Invariant($"{milliseconds:0.000}");

    private static string Times(double? ratio) => ratio is null ? "" : Invariant($"{ratio:0.00}x");

    private static string Percent(double? fraction) => Invariant($"{100 * fraction:0.0} %");

    private static string Count(int tokens) => tokens.ToString("#,0", CultureInfo.InvariantCulture);
}

using System.Text;
using static System.FormattableString;

namespace S2ILGPU.Cli.Bench.Report;

/// <summary>A report as a page of Markdown, which stands beside its plots.</summary>
internal static class ReportPage
{
    private const string HowToRead = """
        `ms` is the median of a call, `+-` half the width of the middle half of the measurements. Variants take turns
        in one process, and the machine's own limits (multiply-adds in registers on all threads, plain reading of
        memory) are measured again in every round: fractions of peak and of plain reading are those of the same rounds.
        Multiplications and additions are counted over whole kept blocks, 4 x rows x columns x D forward and 10 x rows
        x columns x D backward; bytes are those of the kept keys and values, and of the weights for whole models.

        A speed-up stands beside its ceiling: blocks (attention), counted bytes (decoding, generation), or
        multiplications and additions (training) of dense over those of the pattern. One above it says that dense
        attention waited for memory, not that the sparse one is that good: the first table and the plots have the
        ceiling in its place.
        """;

    private const string WhatItDoesNotShow = """
        - Other machines, other numbers of threads, GPUs.
        - Quality: what a model loses or gains by a pattern. Inputs are random numbers.
        - Products and attention of short sequences, many sequences in a batch, sequences of different lengths:
          `s2 bench cpu` has odd shapes.
        - Longer contexts than the tables have, and patterns beside those that they name.
        - A server under load: `s2 bench serve`. Other libraries, unless `--peers` was given.
        """;

    /// <summary>The page.</summary>
    public static string Render(MachineReport report, IReadOnlyList<ReportPlot> plots)
    {
        var facts = report.Facts;
        var page = new StringBuilder();
        page.AppendLine($"# Benchmarks: {facts.Machine.Processor}, {facts.Machine.Title}").AppendLine();
        string commit = facts.Commit is null ? "" : $", commit {facts.Commit[..Math.Min(10, facts.Commit.Length)]}";
        page.AppendLine(Invariant($"`{facts.Command}`, {facts.Date:yyyy-MM-dd}{commit}, {facts.Minutes:0.0} minutes."))
            .AppendLine();
        page.AppendLine($"Machine: {facts.Machine}. Its own limits, medians over the run: {facts.Limits}.")
            .AppendLine();
        page.AppendLine(ReportTables.Headlines(report)).AppendLine(HowToRead).AppendLine();
        Append("forward", "Attention forward", Heads("forward")
            + ReportTables.Attention(report.AttentionOf("forward")));
        Append("backward", "Attention backward", Heads("backward")
            + ReportTables.Attention(report.AttentionOf("backward")));
        Append("decode", "Decoding", Heads("decode") + ReportTables.Decode(report.AttentionOf("decode")));
        Append("products", "Matrix products", ReportTables.Products(report.Products));
        Append("layouts", "Building layouts",
            $"{LayoutEntry.Pattern}, {LayoutBench.Heads} heads; the forward pass is that of one head with D "
            + $"{LayoutBench.HeadDim}, counted for all.\n\n" + ReportTables.Layouts(report.Layouts));
        Append("training", "Training step", Models(report.Training) + ReportTables.Training(report.Training));
        Append("generation", "Generation", Models(report.Generation) + ReportTables.Generation(report.Generation));
        AppendPeers(page, report);
        page.AppendLine("## What it does not show").AppendLine().AppendLine(WhatItDoesNotShow).AppendLine();
        AppendList(page, "Left out", report.LeftOut);
        AppendList(page, "Notes", report.Notes);
        return page.ToString().TrimEnd().ReplaceLineEndings("\n") + "\n";

        void Append(string section, string title, string table)
        {
            page.AppendLine($"## {title}").AppendLine();
            foreach (var plot in plots.Where(plot => plot.Section == section))
                page.AppendLine($"![{plot.Title}]({plot.File})").AppendLine();
            page.AppendLine(table);
        }

        string Heads(string work) => report.AttentionOf(work).FirstOrDefault() is { Shape: var shape }
            ? $"{shape.Heads} query heads on {shape.KeyValueHeads} key/value heads, "
                + $"{(work == "decode" ? $"D{shape.HeadDim}, caches of " : "")}{shape.ElementType}.\n\n"
            : "";
    }

    private static string Models(IEnumerable<Device.ModelEntry> entries) => entries.FirstOrDefault() is { } first
        ? Invariant($"Preset {first.Preset}, {first.Model.ParameterCount / 1e6:0.0} M parameters, ")
            + $"{first.ElementType}, one sequence.\n\n"
        : "";

    private static void AppendPeers(StringBuilder page, MachineReport report)
    {
        if (report.Peers.Count == 0 && report.OverOpenBlas.Count == 0)
            return;
        page.AppendLine("## Beside other libraries").AppendLine();
        foreach (var peer in report.Peers)
        {
            page.AppendLine($"{peer.Version}:").AppendLine().AppendLine(ReportTables.Peer(peer));
            if (peer.LeftOut.Count > 0)
                page.AppendLine($"Left out, the time was over: {string.Join("; ", peer.LeftOut)}.").AppendLine();
        }
        if (report.OverOpenBlas.Count > 0)
            page.AppendLine(ReportTables.OverOpenBlas(report.OverOpenBlas));
    }

    private static void AppendList(StringBuilder page, string title, IReadOnlyList<string> lines)
    {
        if (lines.Count == 0)
            return;
        page.AppendLine($"## {title}").AppendLine();
        foreach (string line in lines)
            page.AppendLine($"- {line}");
        page.AppendLine();
    }
}

using System.Globalization;

namespace S2ILGPU.Models;

/// <summary>How a dense model reads prompts with SampleAttention: columns and slashes of blocks, chosen in every layer
/// and head from the exact probabilities of a few queries. An immutable value; defaults here.</summary>
/// <remarks>
/// <para>The selection of version 3 of the paper is the default: the last queries of each chunk, the fewest columns and
/// the fewest slashes that reach their shares. A <see cref="WindowPercent"/> chooses that of version 1: rows in equal
/// distances, the fewest columns, and a fixed window.</para>
/// <para>What a pass adds of a prompt is what is sampled: its own queries against all keys so far. A pass of less than
/// 4 blocks of queries, or of less than 16 blocks of keys, is dense, decoding among them.</para>
/// </remarks>
/// <seealso href="https://arxiv.org/abs/2406.15486">SampleAttention</seealso>
public sealed record SampleAttentionOptions
{
    private const string Word = "sample";

    /// <summary>The share of the sampled probability that the kept columns reach, above 0 up to 1; 1 keeps
    /// all.</summary>
    public double ColumnAlpha { get; init; } = 0.95;

    /// <summary>The share of the sampled probability that the kept slashes reach, above 0 up to 1; 1 keeps
    /// all.</summary>
    public double SlashAlpha { get; init; } = 0.95;

    /// <summary>The larger of the two shares: what the sampled rows of a pass keep on average.</summary>
    public double Alpha => Math.Max(ColumnAlpha, SlashAlpha);

    /// <summary>Equal chunks of the queries of a pass; the last block of queries of each is sampled. Fewer where a
    /// chunk would have less than 8 blocks.</summary>
    public int Chunks { get; init; } = 2;

    /// <summary>Version 1: blocks of a fixed window, in percent of those of the context, above 0 up to 100; null for
    /// version 3.</summary>
    public double? WindowPercent { get; init; }

    /// <summary>Version 1: sampled rows in percent of the queries of a pass, above 0 up to 100.</summary>
    public double RowPercent { get; init; } = 5;

    /// <summary>Rows of a pass and layer, drawn at random, whose exact kept probability is measured; 0 for
    /// none.</summary>
    public int AuditRows { get; init; } = 8;

    /// <summary>Seed of the rows that are audited.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Whether a text is one that <see cref="Parse"/> reads.</summary>
    /// <param name="text">The value of <c>--attention</c>.</param>
    public static bool Names(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text == Word || text.StartsWith(Word + ":", StringComparison.Ordinal);
    }

    /// <summary>Reads options as command lines spell them.</summary>
    /// <param name="text"><c>sample</c> with <c>alpha</c> (for both), <c>columns</c> and <c>slashes</c> (shares),
    /// <c>chunks</c>; or with <c>alpha</c>, <c>window</c> and <c>rows</c> (percent); and <c>audit</c>,
    /// <c>seed</c>. As in <c>sample:alpha=0.95,chunks=2</c>.</param>
    /// <exception cref="ArgumentException">The text is none of these, or a number is out of its range.</exception>
    public static SampleAttentionOptions Parse(string text)
    {
        if (!Names(text))
            throw new ArgumentException($"sampled attention must begin with {Word}, got '{text}'");
        var fields = AttentionPlanText.Fields(text[Word.Length..].TrimStart(':'));
        var defaults = new SampleAttentionOptions();
        double alpha = Take(fields, "alpha") ?? defaults.ColumnAlpha;
        CheckShare("alpha", alpha, 1);
        bool hasWindow = fields.ContainsKey("window");
        foreach (string other in (string[])(hasWindow ? ["columns", "slashes", "chunks"] : ["rows"]))
            if (fields.ContainsKey(other))
                throw new ArgumentException($"{text}: '{other}' goes {(hasWindow ? "not " : "")}with window");
        var options = new SampleAttentionOptions
        {
            ColumnAlpha = Take(fields, "columns") ?? alpha,
            SlashAlpha = Take(fields, "slashes") ?? alpha,
            Chunks = AttentionPlanText.Take(fields, "chunks", defaults.Chunks),
            WindowPercent = Take(fields, "window"),
            RowPercent = Take(fields, "rows") ?? defaults.RowPercent,
            AuditRows = AttentionPlanText.Take(fields, "audit", defaults.AuditRows),
            Seed = (ulong)AttentionPlanText.Take(fields, "seed", (int)defaults.Seed),
        };
        return fields.Count == 0 ? options.Validate()
            : throw new ArgumentException($"{text}: '{fields.Keys.First()}' is unknown in {Word}");
    }

    /// <summary>Checks the numbers.</summary>
    /// <exception cref="ArgumentException">One is out of its range.</exception>
    internal SampleAttentionOptions Validate()
    {
        CheckShare("the share of columns", ColumnAlpha, 1);
        CheckShare("the share of slashes", SlashAlpha, 1);
        CheckShare("the window in percent", WindowPercent ?? 100, 100);
        CheckShare("sampled rows in percent", RowPercent, 100);
        if (Chunks < 1)
            throw new ArgumentException($"chunks must be at least 1, got {Chunks}");
        if (AuditRows < 0)
            throw new ArgumentException($"audited rows must not be negative, got {AuditRows}");
        return this;
    }

    private static void CheckShare(string what, double value, double most)
    {
        if (!(value > 0 && value <= most))
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"{what} must be above 0 and at most {most}, got {value}"));
    }

    private static double? Take(Dictionary<string, string> fields, string name) =>
        !fields.Remove(name, out string? text) ? null
        : double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) ? value
        : throw new ArgumentException($"{name} must be a number, got '{text}'");
}

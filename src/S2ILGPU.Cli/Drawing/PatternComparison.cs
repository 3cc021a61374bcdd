using S2ILGPU.Layouts;
using S2ILGPU.Patterns;

namespace S2ILGPU.Cli.Drawing;

/// <summary>A pattern, and the same pattern whose stripes slide by the other kind of head.</summary>
/// <remarks>Complete coverage and the smallest cache need as many key/value heads as the stride. With fewer, sliding by
/// query head covers more and keeps more of the cache: so both are shown.</remarks>
/// <param name="Chosen">The pattern that was asked for.</param>
/// <param name="Other">The other way to slide.</param>
internal sealed record PatternComparison(PatternReport Chosen, PatternReport Other)
{
    /// <summary>Examines both.</summary>
    /// <exception cref="ArgumentException">The layout cannot be built.</exception>
    public static PatternComparison Of(LocalStridePattern pattern, int tokens) =>
        new(PatternReport.Of(pattern, tokens), PatternReport.Of(SlidOtherwise(pattern), tokens));

    /// <summary>query or kv.</summary>
    public static string SlideBy(PatternReport report) =>
        ((LocalStridePattern)report.Layout.Pattern).Stripes.SlideByQueryHead ? "query" : "kv";

    private static LocalStridePattern SlidOtherwise(LocalStridePattern pattern) =>
        new(pattern.QueryHeads, pattern.KeyValueHeads, pattern.BlockTokens, pattern.LocalBlocks, pattern.VerticalStride,
            pattern.Stripes with { SlideByQueryHead = !pattern.Stripes.SlideByQueryHead }, pattern.IsCausal);
}

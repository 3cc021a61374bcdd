using S2ILGPU.Layouts;
using S2ILGPU.Patterns;

namespace S2ILGPU.Cli.Design;

/// <summary>A local-stride pattern and what a designer weighs.</summary>
/// <param name="Pattern">The pattern.</param>
/// <param name="CoveredFraction">Residues of the stride that some head keeps, of all; 1 where the heads together read
/// the whole context.</param>
/// <param name="CacheFraction">Blocks of the cache that decoding keeps, of all.</param>
/// <param name="Ceiling">Blocks of dense over blocks of this: the most that prefill and training can gain.</param>
/// <param name="LoadImbalance">Most over mean kept blocks of a head.</param>
internal sealed record Candidate(LocalStridePattern Pattern, double CoveredFraction, double CacheFraction,
    double Ceiling, double LoadImbalance)
{
    /// <summary>Tokens of the local window, at least.</summary>
    public int WindowTokens => (Pattern.LocalBlocks - 1) * Pattern.BlockTokens + 1;

    /// <summary>Whether the heads together read the whole context.</summary>
    public bool IsComplete => CoveredFraction == 1;

    /// <summary>Examines a pattern over a context.</summary>
    public static Candidate Of(LocalStridePattern pattern, int tokens)
    {
        var report = PatternReport.Of(pattern, tokens);
        double missing = report.Coverage.MissingResidues.Count;
        return new Candidate(pattern, 1 - missing / pattern.VerticalStride, report.KeptCacheFraction,
            report.DenseOverSparse, report.LoadImbalance);
    }
}

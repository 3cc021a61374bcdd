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
    /// <remarks>What <see cref="PatternReport"/> says of its layout, row by row: a layout of a million tokens takes
    /// gigabytes.</remarks>
    public static Candidate Of(LocalStridePattern pattern, int tokens)
    {
        int blocks = (tokens + pattern.BlockTokens - 1) / pattern.BlockTokens, next = tokens / pattern.BlockTokens;
        var kept = new long[pattern.PatternHeads];
        var row = new BlockRowBuilder();
        for (int head = 0; head < kept.Length; head++)
            for (int queryBlock = 0; queryBlock < blocks; queryBlock++, row.Clear())
            {
                pattern.AppendRow(head, queryBlock, blocks, row);
                kept[head] += row.Count;
            }
        long cached = 0;
        for (int head = 0; head < pattern.KeyValueHeads; head++)
            for (int keyBlock = 0; keyBlock < blocks; keyBlock++)
                cached += pattern.MayStillRead(head, next, keyBlock) ? 1 : 0;
        int covered = Enumerable.Range(0, pattern.VerticalStride)
            .Count(residue => Enumerable.Range(0, kept.Length).Any(head => pattern.KeepsResidue(head, residue)));
        double all = kept.Sum(), dense = (double)kept.Length * blocks * (blocks + 1) / 2;
        return new Candidate(pattern, (double)covered / pattern.VerticalStride,
            cached / ((double)pattern.KeyValueHeads * blocks), dense / all, kept.Max() * kept.Length / all);
    }
}

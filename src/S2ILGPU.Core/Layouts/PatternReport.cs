using S2ILGPU.Patterns;

namespace S2ILGPU.Layouts;

/// <summary>What a pattern does with a context: how much it keeps, whether its heads together read everything, whether
/// a decoder may free what a head drops.</summary>
/// <remarks>Counted block by block in O(kept blocks), except <see cref="KeptCacheBlocks"/>, which trusts <see
/// cref="AttentionPattern.IsCacheEfficient"/>.</remarks>
public sealed class PatternReport
{
    private PatternReport(BlockLayout layout)
    {
        Layout = layout;
        KeptBlocksPerHead = CountKeptBlocks(layout);
        DenseBlocks = CountDenseBlocks(layout);
        EmptyRows = CountEmptyRows(layout);
        IsCacheEfficient = layout.IsCausal && NeverReturns(layout);
        Coverage = Cover(layout);
        KeptCacheBlocks = CountCacheBlocks(layout);
    }

    /// <summary>The layout that was examined.</summary>
    public BlockLayout Layout { get; }

    /// <summary>Kept blocks of all pattern heads together.</summary>
    public long KeptBlocks => Layout.KeptBlocks;

    /// <summary>Blocks that dense attention with the same heads, queries and causality would compute.</summary>
    public long DenseBlocks { get; }

    /// <summary><c>kept / dense</c> blocks; 1 for an empty context.</summary>
    public double KeptFraction => DenseBlocks == 0 ? 1 : (double)KeptBlocks / DenseBlocks;

    /// <summary><c>dense / kept</c> blocks: the honest ceiling of any speed-up. Infinite when nothing is
    /// kept.</summary>
    public double DenseOverSparse => 1 / KeptFraction;

    /// <summary>Kept blocks of each pattern head.</summary>
    public IReadOnlyList<long> KeptBlocksPerHead { get; }

    /// <summary>Load balance over heads: <c>max / mean</c> kept blocks, 1 when all heads keep as many.</summary>
    public double LoadImbalance =>
        KeptBlocks == 0 ? 1 : KeptBlocksPerHead.Max() * (double)KeptBlocksPerHead.Count / KeptBlocks;

    /// <summary>Rows (head, query block) that keep nothing: attention gives output 0 and log-sum-exp -inf
    /// there.</summary>
    public int EmptyRows { get; }

    /// <summary>Whether queries see only keys at or before their own position.</summary>
    public bool IsCausal => Layout.IsCausal;

    /// <summary>Whether, in a causal layout, no block below the diagonal that a head dropped returns: <c>keep(h, i, j)
    /// implies keep(h, i-1, j)</c> for every <c>j &lt; i</c>.</summary>
    public bool IsCacheEfficient { get; }

    /// <summary>Whether the heads together read the whole context.</summary>
    public PatternCoverage Coverage { get; }

    /// <summary>For each KV head, the key blocks that queries at position N (the next token) or later may still read
    /// through any query head of its group; a decoder may free the others.</summary>
    public IReadOnlyList<int> KeptCacheBlocks { get; }

    /// <summary><c>kept / all</c> blocks of the key/value cache over all KV heads; 1 for an empty context.</summary>
    public double KeptCacheFraction => Layout.KeyBlocks == 0 ? 1 : KeptCacheBlocks.Average() / Layout.KeyBlocks;

    /// <summary>Examines a pattern over a context.</summary>
    /// <param name="pattern">The pattern.</param>
    /// <param name="tokens">N, number of positions.</param>
    /// <exception cref="ArgumentException">The layout cannot be built; see <see
    /// cref="BlockLayout.Create"/>.</exception>
    public static PatternReport Of(AttentionPattern pattern, int tokens) => new(BlockLayout.Create(pattern, tokens));

    /// <summary>Examines a layout.</summary>
    /// <param name="layout">The layout.</param>
    public static PatternReport Of(BlockLayout layout)
    {
        ArgumentNullException.ThrowIfNull(layout);
        return new PatternReport(layout);
    }

    private static long[] CountKeptBlocks(BlockLayout layout)
    {
        var kept = new long[layout.Heads];
        for (int head = 0; head < kept.Length; head++)
            kept[head] = layout.RowsOf(head).Kept;
        return kept;
    }

    private static long CountDenseBlocks(BlockLayout layout)
    {
        long dense = 0;
        for (int queryBlock = layout.FirstQueryBlock; queryBlock < layout.KeyBlocks; queryBlock++)
            dense += layout.Pattern.RowEnd(queryBlock, layout.KeyBlocks);
        return dense * layout.Heads;
    }

    private static int CountEmptyRows(BlockLayout layout)
    {
        int empty = 0;
        for (int head = 0; head < layout.Heads; head++)
            for (int row = 0; row < layout.QueryBlocks; row++)
                if (layout.RowsOf(head)[row].IsEmpty)
                    empty++;
        return empty;
    }

    // Both rows ascend, so one walk over the earlier row finds every block of the later one.
    private static bool NeverReturns(BlockLayout layout)
    {
        for (int head = 0; head < layout.Heads; head++)
            for (int row = 1; row < layout.QueryBlocks; row++)
            {
                var earlier = layout.RowsOf(head)[row - 1];
                int e = 0;
                foreach (int keyBlock in layout.Row(head, layout.FirstQueryBlock + row).Full)
                {
                    while (e < earlier.Length && earlier[e] < keyBlock)
                        e++;
                    if (e == earlier.Length || earlier[e] != keyBlock)
                        return false;
                }
            }
        return true;
    }

    private static PatternCoverage Cover(BlockLayout layout)
    {
        var pattern = layout.Pattern;
        var readFor = new int[layout.KeyBlocks]; // last query block + 1 for which some head reads the key block
        bool complete = true;
        for (int queryBlock = layout.FirstQueryBlock; queryBlock < layout.KeyBlocks; queryBlock++)
        {
            int read = 0;
            for (int head = 0; head < layout.Heads; head++)
            {
                var row = layout.Row(head, queryBlock);
                read += Mark(row.Full, readFor, queryBlock + 1) + Mark(row.Partial, readFor, queryBlock + 1);
            }
            complete &= read == pattern.RowEnd(queryBlock, layout.KeyBlocks);
        }
        int[] missingBlocks = layout.QueryBlocks == 0 ? []
            : [.. Enumerable.Range(0, layout.KeyBlocks).Where(keyBlock => readFor[keyBlock] != layout.KeyBlocks)];
        int[] missingResidues = [.. Enumerable.Range(0, pattern.StripePeriod)
            .Where(residue => !IsKept(pattern, residue))];
        return new PatternCoverage(complete && missingResidues.Length == 0, pattern.StripePeriod, missingResidues,
            missingBlocks);
    }

    private static int Mark(ReadOnlySpan<int> keyBlocks, int[] readFor, int mark)
    {
        int marked = 0;
        foreach (int keyBlock in keyBlocks)
            if (readFor[keyBlock] != mark)
            {
                readFor[keyBlock] = mark;
                marked++;
            }
        return marked;
    }

    private static bool IsKept(AttentionPattern pattern, int residue)
    {
        for (int head = 0; head < pattern.PatternHeads; head++)
            if (pattern.KeepsResidue(head, residue))
                return true;
        return false;
    }

    private static int[] CountCacheBlocks(BlockLayout layout)
    {
        var kept = new int[layout.Pattern.KeyValueHeads];
        int nextQueryBlock = layout.Tokens / layout.BlockTokens;
        for (int head = 0; head < kept.Length; head++)
            for (int keyBlock = 0; keyBlock < layout.KeyBlocks; keyBlock++)
                if (layout.Pattern.MayStillRead(head, nextQueryBlock, keyBlock))
                    kept[head]++;
        return kept;
    }
}

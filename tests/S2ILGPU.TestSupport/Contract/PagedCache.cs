using S2ILGPU.Engines;

namespace S2ILGPU.TestSupport;

/// <summary>Page tables for tests: pages in random order, some pages unused.</summary>
public static class PagedCache
{
    /// <summary>New tokens one after the other in tensors with a batch extent of 1; the keys are in pages.</summary>
    /// <param name="queryCounts">Nq of each sequence.</param>
    /// <param name="keyCounts">Nk of each sequence.</param>
    public static SequenceBatch PackedQueries(int[] queryCounts, int[] keyCounts)
    {
        var sequences = new Sequence[queryCounts.Length];
        for (int s = 0, row = 0; s < sequences.Length; row += queryCounts[s++])
            sequences[s] = new Sequence(0, row, queryCounts[s], 0, keyCounts[s]);
        return new SequenceBatch(sequences);
    }

    /// <summary>Gives a page to every block that is wanted.</summary>
    /// <param name="random">Shuffles the pages.</param>
    /// <param name="keyValueHeads">Hkv.</param>
    /// <param name="keyCounts">Nk of each sequence.</param>
    /// <param name="blockTokens">Tokens per page.</param>
    /// <param name="isWanted">Whether a block (sequence, KV head, key block) gets a page.</param>
    /// <param name="pageCount">P, more than the pages in use.</param>
    public static PageTable Table(Random random, int keyValueHeads, int[] keyCounts, int blockTokens, Func<int, int,
        int, bool> isWanted, out int pageCount)
    {
        int Blocks(int tokens) => (tokens + blockTokens - 1) / blockTokens;
        var table = new PageTable(keyCounts.Length, keyValueHeads, Blocks(keyCounts.Max()) + 1);
        int[] free = [.. Enumerable.Range(0, keyCounts.Sum(Blocks) * keyValueHeads + 3)];
        random.Shuffle(free);
        pageCount = free.Length;
        int next = 0;
        for (int s = 0; s < keyCounts.Length; s++)
            for (int head = 0; head < keyValueHeads; head++)
                for (int block = 0; block < Blocks(keyCounts[s]); block++)
                    if (isWanted(s, head, block))
                        table[s, head, block] = free[next++];
        return table;
    }
}

using S2ILGPU.Patterns;

namespace S2ILGPU.Distributed.Context;

/// <summary>A block of keys and values of one KV head.</summary>
internal readonly record struct HeadBlock(int Head, int Block);

/// <summary>Which blocks travel between ranks so that each has all keys and values that its queries keep. A function of
/// pattern, length and ranks alone: both sides derive it, and no index is ever sent.</summary>
internal sealed class ContextExchange
{
    private readonly int[][][] _earlier;
    private readonly HeadBlock[,][] _pulled;

    /// <summary>Enumerates the rows of a pattern.</summary>
    /// <param name="pattern">A causal pattern over the whole sequence.</param>
    /// <param name="chunks">Its cut; the pattern's blocks divide those of the cut.</param>
    /// <param name="sendsAll">Whether all blocks go to every rank, not only those that it keeps.</param>
    /// <exception cref="ArgumentException">The pattern is not causal, or has a window in tokens.</exception>
    public ContextExchange(AttentionPattern pattern, ContextChunks chunks, bool sendsAll = false)
    {
        if (!pattern.IsCausal)
            throw new ArgumentException($"{pattern}: ranks share the context of causal patterns only");
        if (pattern.WindowTokens < chunks.Tokens)
            throw new ArgumentException($"{pattern}: ranks share the context of patterns whose windows are whole "
                + "blocks only");
        (Pattern, Chunks) = (pattern, chunks);
        _earlier = [.. Enumerable.Range(0, chunks.Count).Select(Needed)];
        _pulled = new HeadBlock[chunks.Ranks, chunks.Ranks][];
        for (int from = 0; from < chunks.Ranks; from++)
            for (int to = 0; to < chunks.Ranks; to++)
                _pulled[from, to] = from == to ? [] : [.. sendsAll ? Blocks(from) : Kept(from, to)];
    }

    /// <summary>The pattern.</summary>
    public AttentionPattern Pattern { get; }

    /// <summary>The cut.</summary>
    public ContextChunks Chunks { get; }

    /// <summary>For each KV head the key blocks before a chunk that one of its query blocks keeps, ascending.</summary>
    public int[][] Earlier(int chunk) => _earlier[chunk];

    /// <summary>The blocks that go from one rank to another, by head and block.</summary>
    public HeadBlock[] Pulled(int from, int to) => _pulled[from, to];

    /// <summary>The rank that has a block.</summary>
    public int Owner(int block) => Chunks.Owner(Chunks.ChunkOf(block * Pattern.BlockTokens));

    /// <summary>First block of a chunk.</summary>
    public int StartBlock(int chunk) => Chunks.Start(chunk) / Pattern.BlockTokens;

    /// <summary>Tokens of a block: fewer in the last one where the sequence ends within it.</summary>
    public int BlockTokens(int block) =>
        Math.Min(Pattern.BlockTokens, Chunks.Tokens - block * Pattern.BlockTokens);

    /// <summary>Exclusive end of the blocks of a chunk.</summary>
    public int EndBlock(int chunk) => (Chunks.Start(chunk + 1) + Pattern.BlockTokens - 1) / Pattern.BlockTokens;

    /// <summary>Kept (query block, key block) pairs of a rank over all query heads; a diagonal block counts
    /// half.</summary>
    public double Work(int rank)
    {
        double pairs = 0;
        var row = new BlockRowBuilder();
        var (first, second) = Chunks.Of(rank);
        foreach (int chunk in (int[])[first, second])
            for (int head = 0; head < Pattern.PatternHeads; head++)
                for (int block = StartBlock(chunk); block < EndBlock(chunk); block++)
                {
                    row.Clear();
                    Pattern.AppendRow(head, block, block + 1, row);
                    bool hasDiagonal = row.Count > 0 && row.Blocks[^1] == block;
                    pairs += row.Count - (hasDiagonal ? 0.5 : 0);
                }
        return pairs * Pattern.QueryHeads / Pattern.PatternHeads;
    }

    private int[][] Needed(int chunk)
    {
        int start = StartBlock(chunk), heads = Pattern.KeyValueHeads;
        var needed = new bool[heads, start];
        var row = new BlockRowBuilder();
        for (int head = 0; head < Pattern.PatternHeads; head++)
            for (int block = start; block < EndBlock(chunk); block++)
            {
                row.Clear();
                Pattern.AppendRow(head, block, block + 1, row);
                foreach (int key in row.Blocks)
                    if (key < start)
                        needed[KeyValueHead(head), key] = true;
            }
        return [.. Enumerable.Range(0, heads)
            .Select(head => Enumerable.Range(0, start).Where(key => needed[head, key]).ToArray())];
    }

    // All blocks of a rank.
    private IEnumerable<HeadBlock> Blocks(int rank)
    {
        var (first, second) = Chunks.Of(rank);
        for (int head = 0; head < Pattern.KeyValueHeads; head++)
            foreach (int chunk in (int[])[first, second])
                for (int block = StartBlock(chunk); block < EndBlock(chunk); block++)
                    yield return new HeadBlock(head, block);
    }

    private IEnumerable<HeadBlock> Kept(int from, int to)
    {
        var (first, second) = Chunks.Of(to);
        for (int head = 0; head < Pattern.KeyValueHeads; head++)
            foreach (int block in _earlier[first][head].Union(_earlier[second][head]).Order())
                if (Owner(block) == from)
                    yield return new HeadBlock(head, block);
    }

    private int KeyValueHead(int patternHead) => patternHead / (Pattern.PatternHeads / Pattern.KeyValueHeads);
}

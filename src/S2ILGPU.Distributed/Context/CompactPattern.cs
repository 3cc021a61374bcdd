using S2ILGPU.Patterns;

namespace S2ILGPU.Distributed.Context;

/// <summary>A chunk's rows of a pattern, seen through the compact keys that its own rank has, or that other ranks
/// have: first the earlier blocks that the chunk keeps, a list per KV head, then the chunk's own blocks, which belong
/// to the first kind. Queries sit at the end, as engines want them.</summary>
internal sealed class CompactPattern : AttentionPattern
{
    private readonly AttentionPattern _pattern;
    private readonly int _start;
    private readonly bool _own;
    private readonly int[][] _earlier;

    /// <summary>Creates the view of a chunk.</summary>
    /// <param name="exchange">The pattern and its cut.</param>
    /// <param name="chunk">The chunk.</param>
    /// <param name="own">Whether to see the keys of the chunk's rank, or those of the others.</param>
    public CompactPattern(ContextExchange exchange, int chunk, bool own)
        : base(exchange.Pattern.QueryHeads, exchange.Pattern.KeyValueHeads, exchange.Pattern.BlockTokens,
            isCausal: true, exchange.Pattern.PatternHeads == exchange.Pattern.QueryHeads
            && exchange.Pattern.QueryHeads != exchange.Pattern.KeyValueHeads)
    {
        (_pattern, _start, _own) = (exchange.Pattern, exchange.StartBlock(chunk), own);
        int rank = exchange.Chunks.Owner(chunk);
        _earlier = [.. exchange.Earlier(chunk).Select(list =>
            list.Where(block => (exchange.Owner(block) == rank) == own).ToArray())];
        Front = _earlier.Max(list => list.Length);
    }

    /// <summary>Blocks before the own ones: as many as the longest list has.</summary>
    public int Front { get; }

    /// <summary>The earlier blocks of a KV head.</summary>
    public int[] Earlier(int keyValueHead) => _earlier[keyValueHead];

    /// <inheritdoc/>
    public override bool Keeps(int head, int queryBlock, int keyBlock)
    {
        if (queryBlock < Front)
            return false; // no query lies there
        int query = _start + queryBlock - Front;
        if (keyBlock >= Front)
            return _own && _pattern.Keeps(head, query, _start + keyBlock - Front);
        int[] earlier = EarlierOf(head);
        return keyBlock < earlier.Length && _pattern.Keeps(head, query, earlier[keyBlock]);
    }

    /// <inheritdoc/>
    public override void AppendRow(int head, int queryBlock, int keyBlockEnd, BlockRowBuilder row)
    {
        if (queryBlock < Front)
            return;
        int query = _start + queryBlock - Front;
        int[] earlier = EarlierOf(head);
        var whole = new BlockRowBuilder();
        _pattern.AppendRow(head, query, query + 1, whole);
        foreach (int key in whole.Blocks)
        {
            int compact = key < _start ? Array.BinarySearch(earlier, key) : _own ? Front + key - _start : -1;
            if (compact >= 0 && compact < keyBlockEnd)
                row.Add(compact);
        }
    }

    /// <inheritdoc/>
    public override string ToString() =>
        $"{_pattern}, rows from block {_start}, keys of {(_own ? "the rank" : "other ranks")}";

    private int[] EarlierOf(int head) => _earlier[head / (PatternHeads / KeyValueHeads)];
}

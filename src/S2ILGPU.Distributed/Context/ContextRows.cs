using S2ILGPU.Layouts;

namespace S2ILGPU.Distributed.Context;

/// <summary>The exchange of a layer as rows of tables, for one rank and batch size: which rows it sends, and which rows
/// make the compact keys and values of its chunks.</summary>
/// <remarks>The table has the rank's own rows [2, B, n, Hkv] (keys, then values), then what comes from rank 0, from
/// rank 1 and so on. A block that travels is [2, B, tokens] rows.</remarks>
internal sealed class ContextRows
{
    private readonly ContextExchange _exchange;
    private readonly int _rank, _batch, _rows;
    private readonly Dictionary<HeadBlock, int> _received = [];

    /// <summary>Makes the lists.</summary>
    public ContextRows(ContextExchange exchange, int rank, int batch)
    {
        (_exchange, _rank, _batch) = (exchange, rank, batch);
        var chunks = exchange.Chunks;
        var (first, second) = chunks.Of(rank);
        _rows = chunks.Length(first) + chunks.Length(second);
        OwnRows = checked(2 * batch * _rows * Heads);
        int ranks = chunks.Ranks, received = OwnRows;
        SendCounts = [.. Enumerable.Range(0, ranks).Select(to => exchange.Pulled(rank, to).Sum(RowCount))];
        ReceiveCounts = [.. Enumerable.Range(0, ranks).Select(from => exchange.Pulled(from, rank).Sum(RowCount))];
        SentRows = [.. Enumerable.Range(0, ranks).SelectMany(to => exchange.Pulled(rank, to)).SelectMany(BlockRows)];
        foreach (var pulled in Enumerable.Range(0, ranks).SelectMany(from => exchange.Pulled(from, rank)))
        {
            _received[pulled] = received;
            received = checked(received + RowCount(pulled));
        }
        Chunks = [Chunk(first, 0), Chunk(second, chunks.Length(first))];
    }

    /// <summary>Rows of the rank's own keys and values.</summary>
    public int OwnRows { get; }

    /// <summary>Rows for each rank, and from each.</summary>
    public int[] SendCounts { get; }

    /// <summary>Rows from each rank.</summary>
    public int[] ReceiveCounts { get; }

    /// <summary>The own rows that are sent, in the order of the ranks.</summary>
    public int[] SentRows { get; }

    /// <summary>The two chunks.</summary>
    public ContextChunkRows[] Chunks { get; }

    private int Heads => _exchange.Pattern.KeyValueHeads;

    private ContextChunkRows Chunk(int chunk, int firstRow) =>
        new(firstRow, _exchange.Chunks.Length(chunk), Keys(chunk, own: true)!, Keys(chunk, own: false));

    // Null when the chunk keeps no key of another rank.
    private ContextKeys? Keys(int chunk, bool own)
    {
        var pattern = new CompactPattern(_exchange, chunk, own);
        if (!own && pattern.Front == 0)
            return null;
        int queries = _exchange.Chunks.Length(chunk), front = pattern.Front * pattern.BlockTokens,
            keys = front + queries, start = _exchange.Chunks.Start(chunk);
        int[] keyRows = new int[_batch * keys * Heads], valueRows = new int[keyRows.Length];
        int at = 0;
        for (int b = 0; b < _batch; b++)
            for (int t = 0; t < keys; t++)
                for (int head = 0; head < Heads; head++, at++)
                {
                    int token = t < front ? EarlierToken(pattern, head, t) : own ? start + t - front : -1;
                    if (token >= 0) // no query reads the other rows: ends of short lists, queries at other ranks' keys
                        (keyRows[at], valueRows[at]) = (Row(0, b, head, token), Row(1, b, head, token));
                }
        return new ContextKeys(keys, BlockLayout.Create(pattern, keys, queries), keyRows, valueRows);
    }

    private static int EarlierToken(CompactPattern pattern, int head, int compact)
    {
        var (block, offset) = Math.DivRem(compact, pattern.BlockTokens);
        int[] earlier = pattern.Earlier(head);
        return block < earlier.Length ? earlier[block] * pattern.BlockTokens + offset : -1;
    }

    // The row of a token's key (0) or value (1), own or received.
    private int Row(int kind, int b, int head, int token)
    {
        var chunks = _exchange.Chunks;
        if (chunks.Owner(chunks.ChunkOf(token)) == _rank)
            return ((kind * _batch + b) * _rows + chunks.RowOf(token)) * Heads + head;
        var (block, offset) = Math.DivRem(token, _exchange.Pattern.BlockTokens);
        return _received[new HeadBlock(head, block)] + (kind * _batch + b) * _exchange.BlockTokens(block) + offset;
    }

    private int RowCount(HeadBlock travelling) => 2 * _batch * _exchange.BlockTokens(travelling.Block);

    private IEnumerable<int> BlockRows(HeadBlock sent)
    {
        int start = sent.Block * _exchange.Pattern.BlockTokens, tokens = _exchange.BlockTokens(sent.Block);
        for (int kind = 0; kind < 2; kind++)
            for (int b = 0; b < _batch; b++)
                for (int t = 0; t < tokens; t++)
                    yield return Row(kind, b, sent.Head, start + t);
    }
}

/// <summary>One chunk of a rank: its queries and their keys.</summary>
/// <param name="FirstRow">Its first row among those of the rank.</param>
/// <param name="Queries">Number of queries.</param>
/// <param name="Own">The keys that the rank has.</param>
/// <param name="Others">The keys that come from other ranks; null for none.</param>
internal sealed record ContextChunkRows(int FirstRow, int Queries, ContextKeys Own, ContextKeys? Others);

/// <summary>Compact keys of a chunk, as rows of the table.</summary>
/// <param name="Count">Number of keys.</param>
/// <param name="Layout">The kept blocks.</param>
/// <param name="KeyRows">[B, keys, Hkv].</param>
/// <param name="ValueRows">[B, keys, Hkv].</param>
internal sealed record ContextKeys(int Count, BlockLayout Layout, int[] KeyRows, int[] ValueRows);

using System.Runtime.InteropServices;

namespace S2ILGPU.Patterns;

/// <summary>A pattern given as a table: <c>keep(h, i, j) = table[h, i, j]</c>, for contexts of at most as many blocks
/// as the table has.</summary>
public sealed class CustomPattern : AttentionPattern
{
    private readonly bool[,,] _table;

    /// <summary>Creates a pattern from a table.</summary>
    /// <param name="table">[heads, blocks, blocks]: whether a head reads a key block for a query block. One head per KV
    /// head, or one per query head. Copied.</param>
    /// <param name="queryHeads">H, number of query heads.</param>
    /// <param name="keyValueHeads">Hkv, number of key/value heads; divides <paramref name="queryHeads"/>.</param>
    /// <param name="blockTokens">Tokens per block, 16 to 128, a power of two. Default 64.</param>
    /// <param name="isCausal">Whether queries see only keys at or before their own position; then the table must be
    /// empty above the diagonal.</param>
    /// <exception cref="ArgumentException">The table's extents do not fit, a causal table keeps a later block, or a
    /// parameter breaks its rule.</exception>
    public CustomPattern(bool[,,] table, int queryHeads, int keyValueHeads, int blockTokens = 64, bool isCausal = true)
        : base(queryHeads, keyValueHeads, blockTokens, isCausal, HasQueryHeads(table, queryHeads, keyValueHeads))
    {
        _table = (bool[,,])table.Clone();
        if (!isCausal)
            return;
        CheckEmptyAboveDiagonal();
        IsCacheEfficient = NeverReturns();
    }

    /// <summary>The blocks of the table.</summary>
    public override int MaxBlocks => _table.GetLength(1);

    /// <summary>Whether the table is causal and no block that a head drops below the diagonal ever returns.</summary>
    public override bool IsCacheEfficient { get; }

    /// <inheritdoc/>
    public override bool Keeps(int head, int queryBlock, int keyBlock) => _table[head, queryBlock, keyBlock];

    /// <inheritdoc/>
    public override void AppendRow(int head, int queryBlock, int keyBlockEnd, BlockRowBuilder row)
    {
        ArgumentNullException.ThrowIfNull(row);
        var flags = Row(head, queryBlock)[..RowEnd(queryBlock, keyBlockEnd)];
        for (int start = 0; flags[start..].IndexOf(true) is >= 0 and int ahead; start += ahead + 1)
            row.Add(start + ahead);
    }

    /// <summary>The parameters in words.</summary>
    public override string ToString() => $"custom, {MaxBlocks} blocks, {HeadsAndBlocks()}";

    private ReadOnlySpan<bool> Row(int head, int queryBlock) =>
        MemoryMarshal.CreateReadOnlySpan(ref _table[head, queryBlock, 0], MaxBlocks);

    private void CheckEmptyAboveDiagonal()
    {
        for (int head = 0; head < PatternHeads; head++)
            for (int queryBlock = 0; queryBlock < MaxBlocks; queryBlock++)
                if (Row(head, queryBlock)[(queryBlock + 1)..].IndexOf(true) is >= 0 and int later)
                    throw new ArgumentException(
                        $"a causal table must be empty above the diagonal, but head {head} keeps key block "
                        + $"{queryBlock + 1 + later} for query block {queryBlock}");
    }

    private bool NeverReturns()
    {
        for (int head = 0; head < PatternHeads; head++)
            for (int queryBlock = 1; queryBlock < MaxBlocks; queryBlock++)
                for (int keyBlock = 0; keyBlock < queryBlock; keyBlock++)
                    if (_table[head, queryBlock, keyBlock] && !_table[head, queryBlock - 1, keyBlock])
                        return false;
        return true;
    }

    private static bool HasQueryHeads(bool[,,] table, int queryHeads, int keyValueHeads)
    {
        ArgumentNullException.ThrowIfNull(table);
        int heads = table.GetLength(0), blocks = table.GetLength(1);
        if ((heads != queryHeads && heads != keyValueHeads) || blocks < 1 || blocks != table.GetLength(2))
            throw new ArgumentException(
                $"a table must be [{keyValueHeads} or {queryHeads} heads, blocks, blocks], got [{heads}, {blocks}, "
                + $"{table.GetLength(2)}]", nameof(table));
        return heads == queryHeads;
    }
}

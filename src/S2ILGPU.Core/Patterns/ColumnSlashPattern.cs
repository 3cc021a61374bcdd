namespace S2ILGPU.Patterns;

/// <summary>Columns and slashes of each head: <c>keep(h, i, j) = j in columns[h] or i - j in slashes[h] or i = j</c>,
/// for <c>j &lt;= i</c>. What SampleAttention chooses at run time.</summary>
/// <remarks>Causal. A slash returns to every row, so the pattern promises nothing to a decoder.</remarks>
/// <seealso href="https://arxiv.org/abs/2406.15486">SampleAttention</seealso>
public sealed class ColumnSlashPattern : AttentionPattern
{
    private readonly int[][] _columns, _slashes;

    /// <summary>Creates a pattern.</summary>
    /// <param name="columns">[heads]: the key blocks that all later rows of a head read, ascending. One list per KV
    /// head, or one per query head. Copied.</param>
    /// <param name="slashes">[heads]: the distances of key blocks from the diagonal that all rows of a head read,
    /// ascending. The diagonal itself is kept in any case. Copied.</param>
    /// <param name="queryHeads">H, number of query heads.</param>
    /// <param name="keyValueHeads">Hkv, number of key/value heads; divides <paramref name="queryHeads"/>.</param>
    /// <param name="blockTokens">Tokens per block, 16 to 128, a power of two. Default 64.</param>
    /// <exception cref="ArgumentException">The lists are not one per head, one is not ascending from 0 on, or a
    /// parameter breaks its rule.</exception>
    public ColumnSlashPattern(IReadOnlyList<int[]> columns, IReadOnlyList<int[]> slashes, int queryHeads,
        int keyValueHeads, int blockTokens = 64)
        : base(queryHeads, keyValueHeads, blockTokens, isCausal: true,
            HasQueryHeads(columns, slashes, queryHeads, keyValueHeads))
    {
        _columns = Checked(nameof(columns), columns);
        _slashes = Checked(nameof(slashes), slashes);
    }

    /// <summary>The key blocks that all later rows of a head read, ascending.</summary>
    /// <param name="head">Pattern head.</param>
    public ReadOnlySpan<int> Columns(int head) => _columns[head];

    /// <summary>The distances from the diagonal that all rows of a head read, ascending.</summary>
    /// <param name="head">Pattern head.</param>
    public ReadOnlySpan<int> Slashes(int head) => _slashes[head];

    /// <inheritdoc/>
    public override bool Keeps(int head, int queryBlock, int keyBlock) =>
        keyBlock == queryBlock || (keyBlock < queryBlock && (Array.BinarySearch(_columns[head], keyBlock) >= 0
        || Array.BinarySearch(_slashes[head], queryBlock - keyBlock) >= 0));

    /// <inheritdoc/>
    public override void AppendRow(int head, int queryBlock, int keyBlockEnd, BlockRowBuilder row)
    {
        ArgumentNullException.ThrowIfNull(row);
        int end = RowEnd(queryBlock, keyBlockEnd);
        int[] columns = _columns[head], slashes = _slashes[head];
        // Both lists in the order of key blocks: columns from the first, slashes from the farthest.
        int column = 0, slash = Array.BinarySearch(slashes, queryBlock);
        slash = slash < 0 ? ~slash - 1 : slash;
        while (true)
        {
            int fromColumn = column < columns.Length ? columns[column] : int.MaxValue;
            int fromSlash = slash >= 0 ? queryBlock - slashes[slash] : int.MaxValue;
            int next = Math.Min(fromColumn, fromSlash);
            if (next >= Math.Min(end, queryBlock))
                break;
            row.Add(next);
            column += next == fromColumn ? 1 : 0;
            slash -= next == fromSlash ? 1 : 0;
        }
        if (queryBlock < end)
            row.Add(queryBlock);
    }

    /// <summary>The number of columns and slashes in words.</summary>
    public override string ToString() => $"{_columns.Sum(c => c.Length)} columns and {_slashes.Sum(s => s.Length)} "
        + $"slashes of {PatternHeads} heads, {HeadsAndBlocks()}";

    private static bool HasQueryHeads(IReadOnlyList<int[]> columns, IReadOnlyList<int[]> slashes, int queryHeads,
        int keyValueHeads)
    {
        ArgumentNullException.ThrowIfNull(columns);
        ArgumentNullException.ThrowIfNull(slashes);
        if (columns.Count != slashes.Count || (columns.Count != queryHeads && columns.Count != keyValueHeads))
            throw new ArgumentException($"columns and slashes need {keyValueHeads} or {queryHeads} lists each, got "
                + $"{columns.Count} and {slashes.Count}");
        return columns.Count == queryHeads;
    }

    private static int[][] Checked(string name, IReadOnlyList<int[]> lists)
    {
        var copies = new int[lists.Count][];
        for (int head = 0; head < copies.Length; head++)
        {
            copies[head] = [.. lists[head]];
            for (int n = 0, previous = -1; n < copies[head].Length; previous = copies[head][n++])
                if (copies[head][n] <= previous)
                    throw new ArgumentException($"{name} of head {head}: {copies[head][n]} after {previous} is not "
                        + "ascending from 0 on", name);
        }
        return copies;
    }
}

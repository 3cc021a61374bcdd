using S2ILGPU.Patterns;

namespace S2ILGPU.Layouts;

/// <summary>The kept blocks of a pattern over a given context, as CSR (rows of query blocks) for the forward pass and CSC (columns of key blocks) for the backward pass.</summary>
/// <remarks>
/// <para>An immutable value, independent of any device, safe to share between threads. Size: O(kept blocks).</para>
/// <para>Rows and columns are absolute blocks. A layout over N tokens serves every sequence of at most N tokens: a causal pattern's rows do not depend on the length,
/// and kernels stop at the last block that exists. With fewer queries than keys, query i sits at position (keys - queries + i).</para>
/// </remarks>
public sealed class BlockLayout
{
    private readonly int[] _rowStarts, _columns, _columnStarts, _rows;

    private BlockLayout(AttentionPattern pattern, int tokens, int firstQueryBlock, int[] rowStarts, int[] columns, int[] columnStarts, int[] rows)
    {
        Pattern = pattern;
        Tokens = tokens;
        FirstQueryBlock = firstQueryBlock;
        (_rowStarts, _columns, _columnStarts, _rows) = (rowStarts, columns, columnStarts, rows);
    }

    /// <summary>The pattern that this layout was made from.</summary>
    public AttentionPattern Pattern { get; }

    /// <summary>N, number of key positions covered.</summary>
    public int Tokens { get; }

    /// <summary>Tokens per block.</summary>
    public int BlockTokens => Pattern.BlockTokens;

    /// <summary>Number of key blocks, the last one possibly shorter.</summary>
    public int KeyBlocks => (Tokens + BlockTokens - 1) / BlockTokens;

    /// <summary>First absolute query block that has a row; 0 unless the layout was made for the last positions only.</summary>
    public int FirstQueryBlock { get; }

    /// <summary>Number of rows per head: query blocks <see cref="FirstQueryBlock"/> to <see cref="KeyBlocks"/> exclusive.</summary>
    public int QueryBlocks => KeyBlocks - FirstQueryBlock;

    /// <summary>Number of distinct head patterns; see <see cref="AttentionPattern.PatternHeads"/>.</summary>
    public int Heads => Pattern.PatternHeads;

    /// <summary>Whether queries see only keys at or before their own position.</summary>
    public bool IsCausal => Pattern.IsCausal;

    /// <summary>Kept blocks of all heads together.</summary>
    public long KeptBlocks => _columns.Length;

    /// <summary>CSR row starts, <c>[Heads * QueryBlocks + 1]</c>: row (head, queryBlock) is at <c>head * QueryBlocks + queryBlock - FirstQueryBlock</c>.</summary>
    public ReadOnlySpan<int> RowStarts => _rowStarts;

    /// <summary>CSR entries: absolute key blocks, ascending within a row.</summary>
    public ReadOnlySpan<int> Columns => _columns;

    /// <summary>CSC column starts, <c>[Heads * KeyBlocks + 1]</c>.</summary>
    public ReadOnlySpan<int> ColumnStarts => _columnStarts;

    /// <summary>CSC entries: absolute query blocks, ascending within a column.</summary>
    public ReadOnlySpan<int> Rows => _rows;

    /// <summary>Builds the layout of a pattern.</summary>
    /// <param name="pattern">The pattern.</param>
    /// <param name="tokens">N, number of key positions; 0 gives an empty layout.</param>
    /// <param name="queryTokens">Number of query positions, the last ones of the context; null for all. Only their rows are built.</param>
    /// <exception cref="ArgumentException">A count is negative, there are more queries than keys, or a row breaks the pattern's own contract (unordered, out of range, not causal).</exception>
    /// <remarks>Cost O(kept blocks) for patterns that enumerate their rows.</remarks>
    public static BlockLayout Create(AttentionPattern pattern, int tokens, int? queryTokens = null)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        int queries = queryTokens ?? tokens;
        if (tokens < 0 || queries < 0 || queries > tokens)
            throw new ArgumentException($"a layout needs 0 <= queries <= keys, got {queries} query tokens and {tokens} key tokens");
        int block = pattern.BlockTokens, keyBlocks = (int)(((long)tokens + block - 1) / block), first = queries == 0 ? keyBlocks : (tokens - queries) / block;

        int heads = pattern.PatternHeads, queryBlocks = keyBlocks - first;
        var rowStarts = new int[heads * queryBlocks + 1];
        var entries = new List<int>();
        for (int head = 0, r = 0; head < heads; head++)
            for (int queryBlock = first; queryBlock < keyBlocks; queryBlock++)
            {
                int start = entries.Count;
                pattern.AppendRow(head, queryBlock, keyBlocks, entries);
                CheckRow(pattern, head, queryBlock, keyBlocks, entries, start);
                rowStarts[++r] = entries.Count;
            }
        int[] columns = entries.ToArray();
        var (columnStarts, rows) = Transpose(heads, first, queryBlocks, keyBlocks, rowStarts, columns);
        return new BlockLayout(pattern, tokens, first, rowStarts, columns, columnStarts, rows);
    }

    /// <summary>The kept key blocks of a query block.</summary>
    /// <param name="head">Pattern head.</param>
    /// <param name="queryBlock">Absolute query block.</param>
    public BlockRow Row(int head, int queryBlock)
    {
        int r = head * QueryBlocks + queryBlock - FirstQueryBlock;
        var entries = _columns.AsSpan(_rowStarts[r].._rowStarts[r + 1]);
        bool diagonal = IsCausal && entries.Length > 0 && entries[^1] == queryBlock;
        return diagonal ? new BlockRow(entries[..^1], entries[^1..]) : new BlockRow(entries, default);
    }

    /// <summary>The query blocks that keep a key block.</summary>
    /// <param name="head">Pattern head.</param>
    /// <param name="keyBlock">Absolute key block.</param>
    public BlockRow Column(int head, int keyBlock)
    {
        int c = head * KeyBlocks + keyBlock;
        var entries = _rows.AsSpan(_columnStarts[c].._columnStarts[c + 1]);
        bool diagonal = IsCausal && entries.Length > 0 && entries[0] == keyBlock;
        return diagonal ? new BlockRow(entries[1..], entries[..1]) : new BlockRow(entries, default);
    }

    private static void CheckRow(AttentionPattern pattern, int head, int queryBlock, int keyBlocks, List<int> entries, int start)
    {
        int end = pattern.IsCausal ? queryBlock + 1 : keyBlocks;
        for (int e = start, previous = -1; e < entries.Count; previous = entries[e++])
            if (entries[e] <= previous || entries[e] >= end)
                throw new ArgumentException($"{pattern.GetType().Name} head {head}, query block {queryBlock}: key block {entries[e]} after {previous} is not ascending below {end}");
    }

    // Counting sort by column; rows come out ascending because they are visited in order.
    private static (int[] Starts, int[] Rows) Transpose(int heads, int first, int queryBlocks, int keyBlocks, int[] rowStarts, int[] columns)
    {
        var starts = new int[heads * keyBlocks + 1];
        var rows = new int[columns.Length];
        for (int head = 0; head < heads; head++)
            for (int e = rowStarts[head * queryBlocks]; e < rowStarts[(head + 1) * queryBlocks]; e++)
                starts[head * keyBlocks + columns[e] + 1]++;
        for (int c = 0; c < heads * keyBlocks; c++)
            starts[c + 1] += starts[c];
        var next = starts.AsSpan(0, heads * keyBlocks).ToArray();
        for (int head = 0; head < heads; head++)
            for (int r = 0; r < queryBlocks; r++)
                for (int e = rowStarts[head * queryBlocks + r]; e < rowStarts[head * queryBlocks + r + 1]; e++)
                    rows[next[head * keyBlocks + columns[e]]++] = first + r;
        return (starts, rows);
    }
}

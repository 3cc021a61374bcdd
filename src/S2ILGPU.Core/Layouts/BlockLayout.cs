using System.Runtime.CompilerServices;
using S2ILGPU.Patterns;

namespace S2ILGPU.Layouts;

/// <summary>The kept blocks of a pattern over a given context: rows of query blocks for the forward pass and columns of
/// key blocks for the backward pass.</summary>
/// <remarks>
/// <para>An immutable value, independent of any device, safe to share between threads. Size: 4 bytes for each kept
/// block of a row that has gaps, as those of stripes have; rows that are ranges take none, and heads that keep the same
/// blocks share their rows. The columns are made when first asked for.</para>
/// <para>Rows and columns are absolute blocks. A layout over N tokens serves every sequence of at most N tokens: a
/// pattern's rows do not depend on the length, and kernels stop at the last block that exists. With fewer queries than
/// keys, query i sits at position (keys - queries + i).</para>
/// </remarks>
public sealed class BlockLayout
{
    private readonly BlockLines[] _rows;                                  // by head; those of heads alike are one
    private readonly int[] _likeHeads;
    private BlockLines[]? _columns;

    private BlockLayout(AttentionPattern pattern, int tokens, int firstQueryBlock, BlockLines[] rows)
    {
        Pattern = pattern;
        Tokens = tokens;
        KeyBlocks = BlocksOf(tokens, pattern.BlockTokens);
        FirstQueryBlock = firstQueryBlock;
        (_rows, _likeHeads) = (rows, [.. rows.Select(head => Array.IndexOf(rows, head))]);
        KeptBlocks = rows.Sum(head => head.Kept);
    }

    /// <summary>The pattern that this layout was made from.</summary>
    public AttentionPattern Pattern { get; }

    /// <summary>N, number of key positions covered.</summary>
    public int Tokens { get; }

    /// <summary>Tokens per block.</summary>
    public int BlockTokens => Pattern.BlockTokens;

    /// <summary>Number of key blocks, the last one possibly shorter.</summary>
    public int KeyBlocks { get; }

    /// <summary>First absolute query block that has a row; 0 unless the layout was made for the last positions
    /// only.</summary>
    public int FirstQueryBlock { get; }

    /// <summary>Number of rows per head: query blocks <see cref="FirstQueryBlock"/> to <see cref="KeyBlocks"/>
    /// exclusive.</summary>
    public int QueryBlocks => KeyBlocks - FirstQueryBlock;

    /// <summary>Number of distinct head patterns; see <see cref="AttentionPattern.PatternHeads"/>.</summary>
    public int Heads => Pattern.PatternHeads;

    /// <summary>Whether queries see only keys at or before their own position.</summary>
    public bool IsCausal => Pattern.IsCausal;

    /// <summary>Kept blocks of all heads together.</summary>
    public long KeptBlocks { get; }

    /// <summary>Builds the layout of a pattern.</summary>
    /// <param name="pattern">The pattern.</param>
    /// <param name="tokens">N, number of key positions; 0 gives an empty layout.</param>
    /// <param name="queryTokens">Number of query positions, the last ones of the context; null for all. Only their rows
    /// are built.</param>
    /// <exception cref="ArgumentException">A count is negative, there are more queries than keys or more blocks than
    /// the pattern has, the lists of kept blocks do not fit into an array, or a row breaks the pattern's own contract
    /// (unordered, out of range, not causal).</exception>
    /// <remarks>Cost O(rows) for patterns whose rows are ranges and O(kept blocks) for others that enumerate theirs, a
    /// few nanoseconds each; O(kept blocks) for the columns when they are asked for.</remarks>
    public static BlockLayout Create(AttentionPattern pattern, int tokens, int? queryTokens = null)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        int queries = queryTokens ?? tokens;
        if (tokens < 0 || queries < 0 || queries > tokens)
            throw new ArgumentException(
                $"a layout needs 0 <= queries <= keys, got {queries} query tokens and {tokens} key tokens");
        int keyBlocks = BlocksOf(tokens, pattern.BlockTokens), first = queries == 0 ? keyBlocks
            : (tokens - queries) / pattern.BlockTokens;
        if (keyBlocks > pattern.MaxBlocks)
            throw new ArgumentException(
                $"the pattern has {pattern.MaxBlocks} blocks of {pattern.BlockTokens} tokens, {tokens} tokens need "
                + $"{keyBlocks}");
        CheckSize(pattern, first, keyBlocks);
        var heads = new BlockLines[pattern.PatternHeads];
        var row = new BlockRowBuilder();
        long stored = 0;
        for (int head = 0; head < heads.Length; head++)
        {
            var rows = new BlockLinesBuilder(keyBlocks - first, keyBlocks, head == 0 ? 0 : heads[0].StoredEntries);
            for (int queryBlock = first; queryBlock < keyBlocks; queryBlock++)
            {
                row.Clear();
                pattern.AppendRow(head, queryBlock, keyBlocks, row);
                CheckRow(pattern, head, queryBlock, keyBlocks, row);
                rows.Add(row);
            }
            var lines = rows.Build();
            int like = Array.FindIndex(heads, 0, head, other => other.SameAs(lines));
            heads[head] = like < 0 ? lines : heads[like];
            if (like < 0 && (stored += lines.StoredEntries) > Array.MaxLength)
                throw BlockRowBuilder.TooManyBlocks();
        }
        return new BlockLayout(pattern, tokens, first, heads);
    }

    /// <summary>The kept key blocks of a query block.</summary>
    /// <param name="head">Pattern head.</param>
    /// <param name="queryBlock">Absolute query block.</param>
    /// <exception cref="ArgumentOutOfRangeException">The layout has no such row.</exception>
    public BlockRow Row(int head, int queryBlock)
    {
        if ((uint)head >= (uint)Heads || (uint)(queryBlock - FirstQueryBlock) >= (uint)QueryBlocks)
            ThrowNoLine("row", head, queryBlock, FirstQueryBlock);
        var entries = _rows[head][queryBlock - FirstQueryBlock];
        bool diagonal = IsCausal && entries.Length > 0 && entries[^1] == queryBlock;
        return diagonal ? new BlockRow(entries[..^1], entries[^1..]) : new BlockRow(entries, default);
    }

    /// <summary>The query blocks that keep a key block.</summary>
    /// <param name="head">Pattern head.</param>
    /// <param name="keyBlock">Absolute key block.</param>
    /// <exception cref="ArgumentOutOfRangeException">The layout has no such column.</exception>
    public BlockRow Column(int head, int keyBlock)
    {
        if ((uint)head >= (uint)Heads || (uint)keyBlock >= (uint)KeyBlocks)
            ThrowNoLine("column", head, keyBlock, 0);
        var entries = ColumnsOf(head)[keyBlock];
        bool diagonal = IsCausal && entries.Length > 0 && entries[0] == keyBlock;
        return diagonal ? new BlockRow(entries[1..], entries[..1]) : new BlockRow(entries, default);
    }

    /// <summary>The first head that keeps the same blocks in all rows: who needs something once per pattern, as the
    /// lists of a kernel, needs it for those heads only.</summary>
    /// <param name="head">Pattern head.</param>
    public int FirstHeadLike(int head) => _likeHeads[head];

    /// <summary>Kept blocks of some rows of a head.</summary>
    /// <param name="head">Pattern head.</param>
    /// <param name="firstQueryBlock">First absolute query block.</param>
    /// <param name="endQueryBlock">Exclusive end.</param>
    /// <exception cref="ArgumentOutOfRangeException">The layout has no such row.</exception>
    public long CountBlocks(int head, int firstQueryBlock, int endQueryBlock)
    {
        if ((uint)head >= (uint)Heads || firstQueryBlock < FirstQueryBlock || firstQueryBlock > endQueryBlock
            || endQueryBlock > KeyBlocks)
            ThrowNoLine("row", head, endQueryBlock, FirstQueryBlock);
        return _rows[head].KeptBefore(endQueryBlock - FirstQueryBlock)
            - _rows[head].KeptBefore(firstQueryBlock - FirstQueryBlock);
    }

    /// <summary>The rows of a head, from <see cref="FirstQueryBlock"/> on.</summary>
    internal BlockLines RowsOf(int head) => _rows[head];

    /// <summary>The columns of a head.</summary>
    internal BlockLines ColumnsOf(int head) => (_columns ?? Transpose())[head];

    /// <summary>Number of blocks that hold so many tokens.</summary>
    internal static int BlocksOf(int tokens, int blockTokens) => (int)(((long)tokens + blockTokens - 1) / blockTokens);

    // Threads that ask at the same time may both transpose; all of them get the same result.
    private BlockLines[] Transpose()
    {
        var columns = new BlockLines[Heads];
        for (int head = 0; head < Heads; head++)
            columns[head] = _likeHeads[head] < head ? columns[_likeHeads[head]]
                : _rows[head].Transpose(FirstQueryBlock, KeyBlocks);
        return Interlocked.CompareExchange(ref _columns, columns, null) ?? columns;
    }

    // A layout that is far too large is refused at once, by rows in equal distances, and not after it has filled the
    // memory. Near the limit the rows themselves decide.
    private static void CheckSize(AttentionPattern pattern, int firstRow, int keyBlocks)
    {
        const int Samples = 64;
        int rows = keyBlocks - firstRow;
        if (rows < 16 * Samples)
            return;
        double kept = 0;
        var row = new BlockRowBuilder();
        for (int head = 0; head < pattern.PatternHeads; head++)
            for (int sample = 0; sample < Samples; sample++)
            {
                row.Clear();
                pattern.AppendRow(head, firstRow + (int)((sample + 0.5) * rows / Samples), keyBlocks, row);
                if (row.IsRange(out _, out _))
                    continue;                                             // takes no list
                kept += (double)row.Count * rows / Samples;
                if (kept > 2.0 * Array.MaxLength)
                    throw BlockRowBuilder.TooManyBlocks();
            }
    }

    private static void CheckRow(AttentionPattern pattern, int head, int queryBlock, int keyBlocks, BlockRowBuilder row)
    {
        int end = pattern.RowEnd(queryBlock, keyBlocks), previous = -1;
        if (row.IsRange(out int first, out int rangeEnd) && first >= 0 && rangeEnd <= end)
            return;
        foreach (int entry in row.Blocks)
        {
            if (entry <= previous || entry >= end)
                throw new ArgumentException(
                    $"{pattern.GetType().Name} head {head}, query block {queryBlock}: key block {entry} after "
                    + $"{previous} is not ascending below {end}");
            previous = entry;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ThrowNoLine(string line, int head, int block, int first) =>
        throw new ArgumentOutOfRangeException(line,
        $"no {line} of head {head}, block {block} in a layout of {Heads} heads and blocks {first} to {KeyBlocks}");
}

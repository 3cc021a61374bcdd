using System.Runtime.CompilerServices;
using S2ILGPU.Patterns;

namespace S2ILGPU.Layouts;

/// <summary>The kept blocks of a pattern over a given context, as CSR (rows of query blocks) for the forward pass and
/// CSC (columns of key blocks) for the backward pass.</summary>
/// <remarks>
/// <para>An immutable value, independent of any device, safe to share between threads. Size: O(kept blocks), 4 bytes
/// each; the CSC half is made when first asked for.</para>
/// <para>Rows and columns are absolute blocks. A layout over N tokens serves every sequence of at most N tokens: a
/// pattern's rows do not depend on the length, and kernels stop at the last block that exists. With fewer queries than
/// keys, query i sits at position (keys - queries + i).</para>
/// </remarks>
public sealed class BlockLayout
{
    private readonly int[] _rowStarts, _columns;
    private KeyColumns? _transposed;
    private int[]? _likeHeads;

    private BlockLayout(AttentionPattern pattern, int tokens, int firstQueryBlock, int[] rowStarts, int[] columns)
    {
        Pattern = pattern;
        Tokens = tokens;
        KeyBlocks = BlocksOf(tokens, pattern.BlockTokens);
        FirstQueryBlock = firstQueryBlock;
        (_rowStarts, _columns) = (rowStarts, columns);
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
    public long KeptBlocks => _rowStarts[^1];

    /// <summary>CSR row starts, <c>[Heads * QueryBlocks + 1]</c>: row (head, queryBlock) is at <c>head * QueryBlocks +
    /// queryBlock - FirstQueryBlock</c>.</summary>
    public ReadOnlySpan<int> RowStarts => _rowStarts;

    /// <summary>CSR entries: absolute key blocks, ascending within a row.</summary>
    public ReadOnlySpan<int> Columns => _columns.AsSpan(0, _rowStarts[^1]);

    /// <summary>CSC column starts, <c>[Heads * KeyBlocks + 1]</c>.</summary>
    public ReadOnlySpan<int> ColumnStarts => Transposed.Starts;

    /// <summary>CSC entries: absolute query blocks, ascending within a column.</summary>
    public ReadOnlySpan<int> Rows => Transposed.Rows;

    private KeyColumns Transposed => _transposed ?? Transpose();

    /// <summary>Builds the layout of a pattern.</summary>
    /// <param name="pattern">The pattern.</param>
    /// <param name="tokens">N, number of key positions; 0 gives an empty layout.</param>
    /// <param name="queryTokens">Number of query positions, the last ones of the context; null for all. Only their rows
    /// are built.</param>
    /// <exception cref="ArgumentException">A count is negative, there are more queries than keys or more blocks than
    /// the pattern has, the kept blocks do not fit into an array, or a row breaks the pattern's own contract
    /// (unordered, out of range, not causal).</exception>
    /// <remarks>Cost O(kept blocks) for patterns that enumerate their rows, a few nanoseconds each, and as much again
    /// for the CSC half when it is asked for.</remarks>
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
        if ((long)pattern.PatternHeads * keyBlocks >= Array.MaxLength)
            throw new ArgumentException(
                $"a layout of {pattern.PatternHeads} heads with {keyBlocks} blocks each does not fit into an array");

        CheckSize(pattern, first, keyBlocks);
        var rowStarts = new int[pattern.PatternHeads * (keyBlocks - first) + 1];
        var entries = new BlockRowBuilder();
        for (int head = 0, row = 0; head < pattern.PatternHeads; head++)
        {
            for (int queryBlock = first; queryBlock < keyBlocks; queryBlock++)
            {
                pattern.AppendRow(head, queryBlock, keyBlocks, entries);
                CheckRow(pattern, head, queryBlock, keyBlocks, entries.Blocks[rowStarts[row]..]);
                rowStarts[++row] = entries.Count;
            }
            if (head == 0) // the heads of a pattern are much alike: room for all of them at once
                entries.Reserve((long)(entries.Count + keyBlocks - first) * pattern.PatternHeads);
        }
        return new BlockLayout(pattern, tokens, first, rowStarts, entries.Detach());
    }

    /// <summary>The kept key blocks of a query block.</summary>
    /// <param name="head">Pattern head.</param>
    /// <param name="queryBlock">Absolute query block.</param>
    /// <exception cref="ArgumentOutOfRangeException">The layout has no such row.</exception>
    public BlockRow Row(int head, int queryBlock)
    {
        if ((uint)head >= (uint)Heads || (uint)(queryBlock - FirstQueryBlock) >= (uint)QueryBlocks)
            ThrowNoLine("row", head, queryBlock, FirstQueryBlock);
        int r = head * QueryBlocks + queryBlock - FirstQueryBlock;
        var entries = _columns.AsSpan(_rowStarts[r].._rowStarts[r + 1]);
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
        var transposed = Transposed;
        int c = head * KeyBlocks + keyBlock;
        var entries = transposed.Rows.AsSpan(transposed.Starts[c]..transposed.Starts[c + 1]);
        bool diagonal = IsCausal && entries.Length > 0 && entries[0] == keyBlock;
        return diagonal ? new BlockRow(entries[1..], entries[..1]) : new BlockRow(entries, default);
    }

    /// <summary>The first head that keeps the same blocks in all rows: who needs something once per pattern, as the
    /// lists of a kernel, needs it for those heads only.</summary>
    /// <param name="head">Pattern head.</param>
    public int FirstHeadLike(int head) => (_likeHeads ??= FindLikeHeads())[head];

    /// <summary>Number of blocks that hold so many tokens.</summary>
    internal static int BlocksOf(int tokens, int blockTokens) => (int)(((long)tokens + blockTokens - 1) / blockTokens);

    // Threads that ask at the same time may both transpose; all of them get the same result.
    private KeyColumns Transpose() =>
        Interlocked.CompareExchange(ref _transposed, KeyColumns.Of(this), null) ?? _transposed;

    private int[] FindLikeHeads()
    {
        var like = new int[Heads];
        for (int head = 1; head < Heads; head++)
        {
            int other = 0;
            while (other < head && (like[other] != other || !KeepSameBlocks(other, head)))
                other++;
            like[head] = other;
        }
        return like;
    }

    private bool KeepSameBlocks(int a, int b)
    {
        var startsOfA = _rowStarts.AsSpan(a * QueryBlocks, QueryBlocks + 1);
        var startsOfB = _rowStarts.AsSpan(b * QueryBlocks, QueryBlocks + 1);
        int distance = startsOfB[0] - startsOfA[0];
        if (startsOfB[^1] - startsOfA[^1] != distance || !_columns.AsSpan(startsOfA[0]..startsOfA[^1])
            .SequenceEqual(_columns.AsSpan(startsOfB[0]..startsOfB[^1])))
            return false;
        for (int row = 1; row < QueryBlocks; row++)
            if (startsOfB[row] - startsOfA[row] != distance)
                return false;
        return true;
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
                kept += (double)row.Count * rows / Samples;
                if (kept > 2.0 * Array.MaxLength)
                    throw BlockRowBuilder.TooManyBlocks();
            }
    }

    private static void CheckRow(AttentionPattern pattern, int head, int queryBlock, int keyBlocks,
        ReadOnlySpan<int> entries)
    {
        int end = pattern.RowEnd(queryBlock, keyBlocks), previous = -1;
        foreach (int entry in entries)
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

using S2ILGPU.Cpu.Memory;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;

namespace S2ILGPU.Cpu.Attention;

/// <summary>
/// The work items of a backward pass, fixed by the shapes alone: one per (sequence, KV head), which owns dK, dV of that
/// head and dQ of its query heads. Where that makes too few, the keys are cut into ranges of about equal work, each
/// with dQ of its own, summed afterwards in the order of the ranges.
/// </summary>
internal sealed class BackwardPlan
{
    // Items to share out, so that two large ones are not all that is left at the end; each range needs at least so many
    // key tiles to be worth a dQ of its own. Clearing, writing and summing dQ of ranges costs: on 2 cores with 8 heads,
    // 32 items instead of 16 cost 0.6 (D64, 16k) to 1.7 (D64, 4k) points of the peak with L8 s16, and gained 0.6 points
    // for D128 at 16k.
    private const int WantedItems = 16, MinTilesPerRange = 16;

    // Of Q, dO, their packed copies and dQ of the queries that are taken at a time: what a core's share of the caches
    // holds while one tile of keys after the other goes over them. The same on all machines, as it decides the order of
    // sums. Measured in turn in one process, 2 threads, AVX-512, 8 MB of last cache: at 16k against all queries at once
    // L16 s8 1.22x (D64) and 1.17x (D128), L8 s16 1.19x, dense 1.08x; at 4k 1.00x to 1.06x. A quarter of it costs 2
    // (D64) and 3 points of the peak (D128), dense at 4k.
    private const int ChunkBytes = 5 << 19, ChunkCopies = 5, ChunkMultiple = 128;

    // Of all dQ of ranges.
    private const long MaxGradientBytes = 1L << 29;

    /// <summary>Query rows of an item of the passes that go by rows.</summary>
    public const int RowsPerItem = 1024;

    private BackwardSequence[] _sequences = [];
    private int _count, _itemsPerHead;
    private HeadRange _heads;

    /// <summary>Number of items: KV head by KV head.</summary>
    public int Items => checked(_heads.Count * _itemsPerHead);

    /// <summary>About how many tiles of keys read each row of Q and dO, were all of them needed alike.</summary>
    public double ReadsPerRow { get; private set; }

    /// <summary>Number of items of a pass that goes by rows: (sequence, head, some rows), the rows counted as in the
    /// longest sequence.</summary>
    public int ItemsByRows { get; private set; }

    /// <summary>Query rows (of one head each) of all sequences.</summary>
    public long QueryRows { get; private set; }

    /// <summary>Whether the keys of a sequence are cut, so that items keep dQ of their own.</summary>
    public bool HasRanges { get; private set; }

    /// <summary>Rows of dQ that an item needs at most, or all items together when there are ranges.</summary>
    public long GradientRows { get; private set; }

    /// <summary>Tiles of keys of the longest sequence.</summary>
    public int MostTiles { get; private set; }

    /// <summary>Positions whose queries are taken at a time, of all query heads of a KV head; chunks begin at
    /// multiples. Whole blocks.</summary>
    public int ChunkTokens { get; private set; }

    /// <summary>The sequences, in order.</summary>
    public ReadOnlySpan<BackwardSequence> Sequences => _sequences.AsSpan(0, _count);

    /// <summary>Plans a call; allocates only when there are more sequences than ever before.</summary>
    public void Make(in AttentionBackwardArguments a)
    {
        var sequences = a.Sequences.Sequences;
        if (_sequences.Length < sequences.Length)
            _sequences = new BackwardSequence[sequences.Length];
        (_count, _itemsPerHead, QueryRows, GradientRows, HasRanges) = (sequences.Length, 0, 0, 0, false);
        int heads = a.Query.Shape[2], keyValueHeads = a.Key.Shape[2], longest = 0;
        _heads = new HeadRange(0, keyValueHeads);
        ChunkTokens = ChunkBytes / (ChunkCopies * sizeof(float) * (heads / keyValueHeads) * a.Query.Shape[3])
            / ChunkMultiple * ChunkMultiple;
        ChunkTokens = Math.Max(ChunkTokens, ChunkMultiple);
        MostTiles = 0;
        long allBlocks = 0, queries = 0;
        foreach (var s in sequences)
            (allBlocks, queries, longest) = (allBlocks + KeptBlocks(a.Layout, s), queries + s.QueryCount,
                Math.Max(longest, s.QueryCount));
        long mostRanges = MaxGradientBytes / Math.Max(1, heads * queries * a.Query.Shape[3] * sizeof(float));
        ItemsByRows = _count * heads * ((longest - 1) / RowsPerItem + 1);
        for (int s = 0; s < _count; s++)
        {
            // As many items as the sequence's share of the work asks for.
            long wanted = (WantedItems * KeptBlocks(a.Layout, sequences[s]) - 1)
                / Math.Max(1, allBlocks * keyValueHeads) + 1;
            int ranges =
                (int)Math.Max(1, Math.Min(Math.Min(wanted, mostRanges), TilesOf(sequences[s]) / MinTilesPerRange));
            _sequences[s] = new BackwardSequence(sequences[s], _itemsPerHead, QueryRows, GradientRows, ranges);
            _itemsPerHead += ranges;
            MostTiles = Math.Max(MostTiles, TilesOf(sequences[s]));
            QueryRows += (long)heads * sequences[s].QueryCount;
            GradientRows += (long)heads * ranges * sequences[s].QueryCount;
            HasRanges |= ranges > 1;
        }
        ReadsPerRow = (double)allBlocks * a.Layout.BlockTokens * a.Layout.BlockTokens / TokenGroup.MaxTokens
            / Math.Max(1, queries);
        if (HasRanges)
            return;
        GradientRows = 0;
        foreach (var s in sequences)
            GradientRows = Math.Max(GradientRows, (long)(heads / keyValueHeads) * s.QueryCount);
    }

    /// <summary>The sequence, head and query rows of an item of a pass that goes by rows; the rows may be
    /// none.</summary>
    public (int Sequence, int Head, int FirstRow, int EndRow) RowsOf(int item, int heads)
    {
        int chunks = ItemsByRows / (_count * heads), sequence = item / chunks / heads,
            first = item % chunks * RowsPerItem;
        return (sequence, item / chunks % heads, first,
            Math.Min(first + RowsPerItem, _sequences[sequence].Sequence.QueryCount));
    }

    /// <summary>The first query row that a range of the keys reaches.</summary>
    public static int FirstRow(BlockLayout layout, in BackwardSequence plan, int patternHead, int range)
    {
        var sequence = plan.Sequence;
        int firstKey = layout.IsCausal ? TilesOf(layout, plan, patternHead, range).Start * TokenGroup.MaxTokens : 0;
        return Math.Clamp(firstKey - sequence.FirstQueryPosition, 0, sequence.QueryCount);
    }

    /// <summary>Restricts the items to some KV heads.</summary>
    public void Select(HeadRange heads) => _heads = heads;

    /// <summary>The sequence, KV head and range of an item.</summary>
    public (int Sequence, int Head, int Range) this[int item]
    {
        get
        {
            int inHead = item % _itemsPerHead, low = 0, high = _count - 1;
            while (low < high)
            {
                int middle = (low + high + 1) / 2;
                (low, high) = _sequences[middle].FirstItem <= inHead ? (middle, high) : (low, middle - 1);
            }
            return (low, _heads.First + item / _itemsPerHead, inHead - _sequences[low].FirstItem);
        }
    }

    /// <summary>Number of key tiles of a sequence.</summary>
    public static int TilesOf(in Sequence sequence) =>
        (sequence.KeyCount + TokenGroup.MaxTokens - 1) / TokenGroup.MaxTokens;

    /// <summary>The key tiles of a range: start and exclusive end. The tiles are weighed by the kept blocks of a
    /// head.</summary>
    public static (int Start, int End) TilesOf(BlockLayout layout, in BackwardSequence plan, int patternHead, int range)
    {
        int tiles = TilesOf(plan.Sequence);
        return plan.Ranges == 1
            ? (0, tiles)
            : (Boundary(layout, patternHead, tiles, range, plan.Ranges),
                Boundary(layout, patternHead, tiles, range + 1, plan.Ranges));
    }

    // Blocks that the first head keeps.
    private static long KeptBlocks(BlockLayout layout, in Sequence sequence)
    {
        if (sequence.QueryCount == 0)
            return 0;
        int first = sequence.FirstQueryPosition / layout.BlockTokens,
            end = (sequence.KeyCount - 1) / layout.BlockTokens + 1;
        return layout.CountBlocks(0, first, end);
    }

    private static int Boundary(BlockLayout layout, int patternHead, int tiles, int range, int ranges)
    {
        var columns = layout.ColumnsOf(patternHead);
        long wanted = columns.Kept * range / ranges;
        int tile = 0;
        if (range == ranges)
            return tiles;
        while (tile < tiles && columns.KeptBefore(
            Math.Min(tile * TokenGroup.MaxTokens / layout.BlockTokens, layout.KeyBlocks)) < wanted)
            tile++;
        return tile;
    }
}

/// <summary>The items of one sequence: the ranges of its keys, for each KV head.</summary>
/// <param name="Sequence">The sequence.</param>
/// <param name="FirstItem">Its first item among those of a KV head.</param>
/// <param name="FirstRow">First row of its statistics, head by head.</param>
/// <param name="FirstGradientRow">First row of its dQ when there are ranges: KV head by KV head, range by range, head
/// by head.</param>
/// <param name="Ranges">Ranges that the keys are cut into.</param>
internal readonly record struct BackwardSequence(Sequence Sequence, int FirstItem, long FirstRow, long FirstGradientRow,
    int Ranges);

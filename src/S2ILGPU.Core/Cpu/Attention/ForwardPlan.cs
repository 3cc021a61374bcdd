using S2ILGPU.Cpu.Memory;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;

namespace S2ILGPU.Cpu.Attention;

/// <summary>
/// The work items of a forward pass. A sequence with many queries has one item per (head, query tile), the tiles with
/// the most keys first, or per pair of neighbouring tiles where these read many keys. A sequence with few queries
/// (decoding) has its query heads packed per KV head into one tile, and its keys cut into parts of a fixed size that
/// are merged afterwards. Items come KV head by KV head, and of each all sequences: workers begin with neighbouring
/// items, so that each gets a like share of long and of short sequences, and reads keys and values that it copied
/// itself.
/// </summary>
/// <remarks>The shapes fix all of it but the pairs, which depend on the caches too and change no bit. Measured on one
/// sequence of 2,048 tokens packed with four of 512, D64, on two threads, against sequence by sequence: L16 s8 1.05x,
/// dense 1.06x.</remarks>
/// <param name="bytesWorthPairs">Tiles come in pairs where the average tile reads so many bytes of keys and values, or
/// more.</param>
internal sealed class ForwardPlan(long bytesWorthPairs)
{
    /// <summary>Keys of a part, when a tile's keys are cut.</summary>
    private const int PartKeys = 1024;

    private SequencePlan[] _sequences = [];
    private int _count, _keyValueHeads, _itemsPerHead;
    private HeadRange _heads;

    /// <summary>Number of items.</summary>
    public int Items => checked(_heads.Count * _itemsPerHead);

    /// <summary>Rows of partial results, all sequences together.</summary>
    public long PartialRows { get; private set; }

    /// <summary>Tiles of queries that read a row of K and V, on average over rows; 0 where rows lie in pages.
    /// </summary>
    public double ReadsPerBlock { get; private set; }

    /// <summary>Where rows lie in pages: the sequences of which so many tiles read each row that copies pay, and their
    /// keys.</summary>
    public List<(int Sequence, int Keys)> PagedCopies { get; } = [];

    /// <summary>The sequences, in order.</summary>
    public ReadOnlySpan<SequencePlan> Sequences => _sequences.AsSpan(0, _count);

    /// <summary>Plans a call; allocates only when there are more sequences than ever before.</summary>
    public void Make(in AttentionForwardArguments a)
    {
        var sequences = a.Sequences.Sequences;
        if (_sequences.Length < sequences.Length)
            _sequences = new SequencePlan[sequences.Length];
        (_count, _itemsPerHead, PartialRows) = (sequences.Length, 0, 0);
        double reads = 0;
        PagedCopies.Clear();
        int heads = a.Query.Shape[2];
        _keyValueHeads = a.Layout.Pattern.KeyValueHeads;
        _heads = new HeadRange(0, _keyValueHeads);
        for (int s = 0; s < _count; s++)
        {
            var layout = a.Layouts?[s] ?? a.Layout;
            var plan = Plan(layout, sequences[s], heads, _itemsPerHead, PartialRows);
            if (plan.UnitHeads == 1)
            {
                double rows = KeyRows(layout, plan.Sequence), ofSequence = rows * plan.Tiles * plan.Units;
                reads += ofSequence;
                // A decoding tile reads pages as they are.
                if (a.Pages is not null && plan.Sequence.QueryCount > TileQueries.MaxDecodeLanes
                    && ofSequence >= HeadCopy.ReadsWorthCopy * plan.Sequence.KeyCount * _keyValueHeads)
                {
                    plan = plan with { PagedCopy = PagedCopies.Count };
                    PagedCopies.Add((s, plan.Sequence.KeyCount));
                }
                if (2 * sizeof(float) * rows * a.Query.Shape[3] >= bytesWorthPairs)
                    plan = plan with { TilesPerItem = 2 };
            }
            _sequences[s] = plan;
            _itemsPerHead = checked(_itemsPerHead + plan.Items / _keyValueHeads);
            PartialRows += plan.PartialRows;
        }
        ReadsPerBlock = a.Pages is null
            ? reads / Math.Max(1, (double)a.Key.Shape[0] * a.Key.Shape[1] * a.Key.Shape[2]) : 0;
    }

    /// <summary>Restricts the items to some KV heads.</summary>
    public void Select(HeadRange heads) => _heads = heads;

    /// <summary>Finds the work of an item.</summary>
    public ForwardItem this[int item]
    {
        get
        {
            int head = _heads.First + item / _itemsPerHead, inHead = item % _itemsPerHead, low = 0, high = _count - 1;
            while (low < high)
            {
                int middle = (low + high + 1) / 2;
                (low, high) = _sequences[middle].FirstItem <= inHead ? (middle, high) : (low, middle - 1);
            }
            ref readonly var plan = ref _sequences[low];
            int ofUnit = plan.ItemsPerUnit, inSequence = inHead - plan.FirstItem,
                unitsPerHead = plan.Units / _keyValueHeads;
            return new ForwardItem(low, head * unitsPerHead + inSequence / ofUnit,
                inSequence % ofUnit / plan.Parts * plan.TilesPerItem, inSequence % plan.Parts);
        }
    }

    /// <summary>The union of the layout's rows that a tile touches.</summary>
    public static BlockUnion Rows(BlockLayout layout, in TileQueries queries) =>
        new(layout.RowsOf(layout.Pattern.PatternHeadOf(queries.FirstHead)), queries.FirstBlock - layout.FirstQueryBlock,
            queries.Blocks);

    // Keys that a tile of a sequence reads on average over rows and heads.
    private static double KeyRows(BlockLayout layout, Sequence sequence) =>
        Math.Min((double)layout.KeptBlocks / Math.Max(1, layout.Heads * layout.QueryBlocks) * layout.BlockTokens,
            sequence.KeyCount);

    private static SequencePlan Plan(BlockLayout layout, Sequence sequence, int heads, int firstItem,
        long firstPartialRow)
    {
        int keyValueHeads = layout.Pattern.KeyValueHeads, group = layout.Heads == heads ? 1 : heads / keyValueHeads;
        if (sequence.QueryCount == 0)
            return new SequencePlan(sequence, firstItem, firstPartialRow, 1, 0, 0, 0);
        if (sequence.QueryCount * group > TileQueries.MaxLanes)
        {
            int firstTile = sequence.FirstQueryPosition / TileQueries.MaxLanes,
                endTile = (sequence.KeyCount - 1) / TileQueries.MaxLanes + 1;
            return new SequencePlan(sequence, firstItem, firstPartialRow, 1, heads, endTile - firstTile, 1);
        }
        int partBlocks = PartKeys / layout.BlockTokens,
            keyBlocks = (sequence.KeyCount + layout.BlockTokens - 1) / layout.BlockTokens, parts = 1;
        for (int head = 0; head < heads; head += group)
        {
            var queries = new TileQueries(sequence.Batch, sequence.QueryStart, sequence.FirstQueryPosition,
                sequence.QueryCount, head, group, layout.BlockTokens);
            parts = Math.Max(parts, (Rows(layout, queries).Count(keyBlocks) + partBlocks - 1) / partBlocks);
        }
        return new SequencePlan(sequence, firstItem, firstPartialRow, group, heads / group, 1, parts)
        {
            PartBlocks = partBlocks,
        };
    }
}

/// <summary>An item: a tile of queries of a head unit of a sequence, or the first of a pair of tiles, over a part of
/// its keys.</summary>
internal readonly record struct ForwardItem(int Sequence, int Unit, int Tile, int Part);

/// <summary>The items of one sequence: (head unit, tile or pair of tiles, part), the last two counted as <c>tile *
/// Parts + part</c>.</summary>
/// <param name="Sequence">The sequence.</param>
/// <param name="FirstItem">Its first item among those of a KV head.</param>
/// <param name="FirstPartialRow">Its first row of partial results.</param>
/// <param name="UnitHeads">Query heads of a unit: 1, or the heads that share a KV head.</param>
/// <param name="Units">Number of head units.</param>
/// <param name="Tiles">Query tiles.</param>
/// <param name="Parts">Parts that the keys of a tile are cut into; above 1 there are partial results.</param>
internal readonly record struct SequencePlan(Sequence Sequence, int FirstItem, long FirstPartialRow, int UnitHeads,
    int Units, int Tiles, int Parts)
{
    /// <summary>Blocks of a part.</summary>
    public int PartBlocks { get; init; } = int.MaxValue;

    /// <summary>Tiles of an item: 2 where a tile reads so many keys that two should share them.</summary>
    public int TilesPerItem { get; init; } = 1;

    /// <summary>Where the sequence stands in <see cref="ForwardPlan.PagedCopies"/>; -1 where it does not.</summary>
    public int PagedCopy { get; init; } = -1;

    public int ItemsPerUnit => (Tiles + TilesPerItem - 1) / TilesPerItem * Parts;

    public int Items => Units * ItemsPerUnit;

    /// <summary>Whether the item of a tile has the one after it as well.</summary>
    public bool HasSecondTile(int tile) => TilesPerItem == 2 && tile + 1 < Tiles;

    /// <summary>Where the item of a part stands among those of all head units.</summary>
    public int IndexOf(int unit, int tile, int part) => (unit * Tiles + tile) * Parts + part;

    /// <summary>Rows of the partial results: part by part, unit by unit, lane by lane.</summary>
    public long PartialRows => Parts > 1 ? (long)Units * Tiles * Parts * UnitHeads * Sequence.QueryCount : 0;

    /// <summary>The queries of an item. Tiles begin at multiples of 64 positions, the last one first.</summary>
    public TileQueries Queries(int unit, int tile, int blockTokens)
    {
        int firstPosition = Sequence.FirstQueryPosition, end = Sequence.KeyCount;
        if (UnitHeads * Sequence.QueryCount > TileQueries.MaxLanes)
        {
            int start = (firstPosition / TileQueries.MaxLanes + Tiles - 1 - tile) * TileQueries.MaxLanes;
            end = Math.Min(end, start + TileQueries.MaxLanes);
            firstPosition = Math.Max(firstPosition, start);
        }
        return new TileQueries(Sequence.Batch, Sequence.QueryStart + firstPosition - Sequence.FirstQueryPosition,
            firstPosition, end - firstPosition, unit * UnitHeads, UnitHeads, blockTokens);
    }
}

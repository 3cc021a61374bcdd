using System.Numerics;
using S2ILGPU.Patterns;

namespace S2ILGPU.Lists;

/// <summary>The row of blocks that a query of decoding stands in; its lists are those of all queries there.</summary>
/// <param name="Pattern">The pattern of its layout; null for a sequence without a query.</param>
/// <param name="Entry">Entry of the query's position.</param>
internal readonly record struct QueryBlock(AttentionPattern? Pattern, int Entry);

/// <summary>What a step of decoding changed of the lists of the step before.</summary>
/// <param name="Tiles">Column tiles that were written: first, and number.</param>
/// <param name="Sequences">Whether each sequence has another list, or one where it had none, or none any more.</param>
internal sealed record ListChanges(IReadOnlyList<(int Start, int Count)> Tiles, bool[] Sequences);

/// <summary>The column tiles of decoding, which follow their sequences from step to step: the lists of each row of
/// blocks lie in a slot of their own, so a step writes those that no slot has, into those that no query stood in for
/// longest, and the others stay.</summary>
/// <param name="sequences">Sequences of a step.</param>
/// <param name="entriesPerTile">E.</param>
internal sealed class DecodeTiles(int sequences, int entriesPerTile)
{
    private readonly List<Slot> _slots = [];
    private readonly Dictionary<QueryBlock, Slot> _slotOf = [];
    private QueryBlock[] _blocks = new QueryBlock[sequences];
    private int _room, _step;

    /// <summary>Entries [slots, room, E].</summary>
    public int[] Entries { get; private set; } = [];

    /// <summary>Positions of entries [slots, room, E].</summary>
    public int[] Positions { get; private set; } = [];

    /// <summary>Masks [slots, room].</summary>
    public uint[] Masks { get; private set; } = [];

    /// <summary>Goes on to the next step.</summary>
    /// <param name="blocks">Where the query of each sequence stands; kept.</param>
    /// <param name="build">Builds the lists of a sequence's query: the column tiles, and the range of each pattern
    /// head.</param>
    /// <param name="checkCount">Throws when so many entries are too many.</param>
    public ListChanges Follow(QueryBlock[] blocks, Func<int, (ColumnTiles Tiles, TileRange[] Ranges)> build,
        Action<long> checkCount)
    {
        _step++;
        foreach (var block in blocks)
            if (_slotOf.TryGetValue(block, out var slot))
                slot.Step = _step;
        var written = new List<(int, int)>();
        var changed = new bool[sequences];
        for (int s = 0; s < sequences; s++)
        {
            changed[s] = blocks[s] != _blocks[s];
            if (blocks[s].Pattern is not null && !_slotOf.ContainsKey(blocks[s]))
            {
                var (tiles, ranges) = build(s);
                int start = Write(blocks[s], tiles, ranges, checkCount);
                if (tiles.Count > 0)
                    written.Add((start, tiles.Count));
            }
        }
        _blocks = blocks;
        return new ListChanges(written, changed);
    }

    /// <summary>The column tiles of a pattern head for queries that stand in a row of blocks.</summary>
    public TileRange RangeOf(QueryBlock block, int patternHead)
    {
        var slot = _slotOf[block];
        var (start, fullEnd, end, seenRows) = slot.Ranges[patternHead];
        int first = slot.Number * _room;
        return new TileRange(first + start, first + fullEnd, first + end, seenRows);
    }

    // Returns the first column tile.
    private int Write(QueryBlock block, ColumnTiles tiles, TileRange[] ranges, Action<long> checkCount)
    {
        var slot = _slots.MinBy(slot => slot.Step);
        if (slot is null || slot.Step == _step)
            _slots.Add(slot = new Slot(_slots.Count));
        if (tiles.Count > _room || _slots.Count * _room > Masks.Length)
            Widen(Math.Max(_room, (int)BitOperations.RoundUpToPowerOf2((uint)tiles.Count)), checkCount);
        int start = slot.Number * _room;
        tiles.CopyTo(Entries.AsSpan(start * entriesPerTile), Positions.AsSpan(start * entriesPerTile),
            Masks.AsSpan(start));
        _slotOf.Remove(slot.Block);
        _slotOf.Add(block, slot);
        (slot.Block, slot.Ranges, slot.Step) = (block, ranges, _step);
        return start;
    }

    // Into arrays of their own: who has copies of the arrays sees that all has moved.
    private void Widen(int room, Action<long> checkCount)
    {
        int slots = (int)BitOperations.RoundUpToPowerOf2((uint)_slots.Count);
        checkCount((long)slots * room * entriesPerTile);
        Entries = Widened(Entries, slots, room, entriesPerTile);
        Positions = Widened(Positions, slots, room, entriesPerTile);
        Masks = Widened(Masks, slots, room, 1);
        _room = room;
    }

    private T[] Widened<T>(T[] values, int slots, int room, int perTile)
    {
        var widened = new T[slots * room * perTile];
        int before = _room * perTile;
        for (int from = 0, to = 0; from < values.Length; from += before, to += room * perTile)
            values.AsSpan(from, before).CopyTo(widened.AsSpan(to));
        return widened;
    }

    private sealed class Slot(int number)
    {
        public int Number => number;

        public QueryBlock Block { get; set; }

        public TileRange[] Ranges { get; set; } = [];

        // The last step in which a query stood in the block.
        public int Step { get; set; }
    }
}

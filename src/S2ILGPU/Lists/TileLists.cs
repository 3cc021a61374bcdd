using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tiles;

namespace S2ILGPU.Lists;

/// <summary>What one attention kernel does for a batch: row tiles, longest lists first, and their column tiles. On the
/// host.</summary>
/// <param name="Rows">Row tiles.</param>
/// <param name="Entries">Entries [tiles, E].</param>
/// <param name="Positions">Positions of entries [tiles, E].</param>
/// <param name="Masks">Masks [tiles].</param>
/// <param name="Columns">The tiles of 64 rows of the other side in packed order: entry / E of plain operands is an
/// index into it. None where keys lie in pages.</param>
internal sealed record TileLists(RowTile[] Rows, int[] Entries, int[] Positions, uint[] Masks, RowTile[] Columns)
{
    /// <summary>The sequence of each row tile.</summary>
    public required int[] SequenceOfRows { get; init; }

    /// <summary>Column tiles that the device writes by itself, and entries of each; 0 where they are here. The lists of
    /// row tiles then end where their room does.</summary>
    public (int Tiles, int EntriesPerTile) Room { get; init; }

    /// <summary>What differs from the lists that the same <see cref="DecodeTiles"/> had before; null for other
    /// lists.</summary>
    public ListChanges? Changes { get; init; }

    /// <summary>Column tiles that all row tiles meet together: the work of the kernel in units of 64 columns.</summary>
    public long ColumnTiles => Rows.Sum(tile => (long)tile.End - tile.Start);
}

/// <summary>From kept blocks, sequences and heads to the lists of a kernel. Cost: O(kept blocks) for every distinct
/// shape of a sequence, and O(1) per row tile.</summary>
internal sealed class TileListBuilder
{
    private readonly IReadOnlyList<BlockLayout> _layouts;
    private readonly Sequence[] _sequences;
    private readonly TileGeometry _geometry;
    private readonly PackedTiles _queries, _keys;
    private readonly Dictionary<(BlockLayout, int), MergedTiles> _merged = [];

    /// <summary>Creates a builder for a batch.</summary>
    /// <param name="layouts">One layout for all sequences, or one per sequence; all of one pattern's heads and
    /// blocks.</param>
    /// <param name="sequences">The sequences.</param>
    /// <exception cref="ArgumentException">A layout does not cover its sequence, layouts differ in heads, block or
    /// causality, or no kernel has tiles for such blocks.</exception>
    public TileListBuilder(IReadOnlyList<BlockLayout> layouts, ReadOnlySpan<Sequence> sequences)
    {
        (_layouts, _sequences) = (layouts, sequences.ToArray());
        _geometry = TileGeometry.Of(layouts[0].BlockTokens);
        var pattern = layouts[0].Pattern;
        _queries = PackedTiles.OfQueries(_sequences, pattern.QueryHeads);
        _keys = PackedTiles.OfKeys(_sequences, pattern.KeyValueHeads);
        CheckLayouts();
    }

    /// <summary>The most entries that kernels can index with an int and an array can hold; less in tests.</summary>
    internal int MaxEntries { get; init; } = Array.MaxLength;

    private int QueryHeads => _queries.Heads;

    private int KeyValueHeads => _keys.Heads;

    private int GroupHeads => QueryHeads / KeyValueHeads;

    /// <summary>Rows are queries: the forward pass and dQ.</summary>
    /// <param name="rowsPerTile">64 or 128.</param>
    /// <param name="pageBlocks">Entries per KV head in the page table where keys lie in pages; null for plain or packed
    /// keys.</param>
    public TileLists OfQueries(int rowsPerTile, int? pageBlocks = null)
    {
        var columns = new ColumnTiles(_geometry, rowsAreKeys: false, _layouts[0].IsCausal, CheckCount);
        var known = new Dictionary<(BlockLayout, int, int), TileRange[]>();
        var rows = new List<(RowTile Row, int Sequence)>();
        for (int s = 0; s < _sequences.Length; s++)
        {
            var sequence = _sequences[s];
            if (sequence.QueryCount == 0)
                continue;
            var layout = LayoutOf(s);
            int first = sequence.FirstQueryPosition / rowsPerTile,
                count = (sequence.KeyCount - 1) / rowsPerTile + 1 - first;
            if (!known.TryGetValue((layout, sequence.QueryCount, sequence.KeyCount), out var ranges))
                known.Add((layout, sequence.QueryCount, sequence.KeyCount),
                    ranges = RangesOfQueries(columns, layout, sequence, rowsPerTile, first, count));
            for (int head = 0; head < QueryHeads; head++)
            {
                int like = layout.FirstHeadLike(layout.Pattern.PatternHeadOf(head));
                for (int tile = 0; tile < count; tile++)
                {
                    var row = _queries.Rows(_sequences, s, head, (first + tile) * rowsPerTile);
                    row.ColumnBase = KeyBase(s, head / GroupHeads, pageBlocks);
                    rows.Add((With(row, ranges[like * count + tile]), s));
                }
            }
        }
        return Lists(rows, columns, pageBlocks is null ? _keys : null);
    }

    /// <summary>Rows are queries, and the device writes their lists: each has room for all blocks that its queries
    /// see.</summary>
    /// <param name="rowsPerTile">64 or 128.</param>
    /// <param name="pageBlocks">Entries per KV head in the page table where keys lie in pages; null for plain or packed
    /// keys.</param>
    public TileLists RoomForQueries(int rowsPerTile, int? pageBlocks = null)
    {
        var rows = new List<(RowTile Row, int Sequence)>();
        long tiles = 0;
        for (int s = 0; s < _sequences.Length; s++)
        {
            var sequence = _sequences[s];
            int first = sequence.FirstQueryPosition / rowsPerTile * rowsPerTile;
            for (int head = 0; head < QueryHeads && sequence.QueryCount > 0; head++)
                for (int position = first; position < sequence.KeyCount; position += rowsPerTile)
                {
                    var row = _queries.Rows(_sequences, s, head, position);
                    row.ColumnBase = KeyBase(s, head / GroupHeads, pageBlocks);
                    int seen = (Math.Min(position + rowsPerTile, sequence.KeyCount) - 1) / TileGeometry.TileTokens + 1;
                    CheckCount((tiles + seen) * _geometry.EntriesPerTile);
                    rows.Add((With(row, new TileRange((int)tiles, (int)tiles, (int)tiles + seen, 0)), s));
                    tiles += seen;
                }
        }
        var none = new ColumnTiles(_geometry, rowsAreKeys: false, isCausal: true, CheckCount);
        return Lists(rows, none, pageBlocks is null ? _keys : null) with
        {
            Room = ((int)tiles, _geometry.EntriesPerTile),
        };
    }

    /// <summary>Rows are keys: dK and dV. The list of a tile holds the queries of all heads that share the KV
    /// head.</summary>
    public TileLists OfKeys()
    {
        const int rowsPerTile = TileGeometry.TileTokens;
        var columns = new ColumnTiles(_geometry, rowsAreKeys: true, _layouts[0].IsCausal, CheckCount);
        var known = new Dictionary<(BlockLayout, int, int), TileRange[]>();
        var rows = new List<(RowTile Row, int Sequence)>();
        for (int s = 0; s < _sequences.Length; s++)
        {
            var sequence = _sequences[s];
            var layout = LayoutOf(s);
            int count = _keys.TilesPerHead(s);
            if (!known.TryGetValue((layout, sequence.QueryCount, sequence.KeyCount), out var ranges))
                known.Add((layout, sequence.QueryCount, sequence.KeyCount), ranges = RangesOfKeys(columns, s, count));
            for (int head = 0; head < KeyValueHeads; head++)
                for (int tile = 0; tile < count; tile++)
                {
                    var row = _keys.Rows(_sequences, s, head, tile * rowsPerTile);
                    row.ColumnBase = sequence.QueryCount == 0 ? 0
                        : _queries.Number(s, head * GroupHeads, _queries.FirstTile(s)) * _geometry.EntriesPerTile;
                    rows.Add((With(row, ranges[head * count + tile]), s));
                }
        }
        return Lists(rows, columns, _queries);
    }

    /// <summary>One query of each sequence that has queries, for groups of neighbouring query heads that share a list:
    /// decoding.</summary>
    /// <param name="groupHeads">Query heads per row tile; divides the heads that share a KV head, and is 1 unless they
    /// share a pattern.</param>
    /// <param name="pageBlocks">Entries per KV head in the page table where keys lie in pages; null for plain or packed
    /// keys.</param>
    /// <param name="tiles">The column tiles of the step before, which go on to this one; null for none.</param>
    public TileLists OfLastQueries(int groupHeads, int? pageBlocks, DecodeTiles? tiles = null)
    {
        tiles ??= new DecodeTiles(_sequences.Length, _geometry.EntriesPerTile);
        var blocks = new QueryBlock[_sequences.Length];
        for (int s = 0; s < blocks.Length; s++)
            if (_sequences[s].QueryCount > 0)
                blocks[s] = new QueryBlock(LayoutOf(s).Pattern, (_sequences[s].KeyCount - 1) / _geometry.BlockColumns);
        var changes = tiles.Follow(blocks, TilesOfLastQuery, CheckCount);
        var rows = new List<(RowTile Row, int Sequence)>();
        for (int s = 0; s < blocks.Length; s++)
            for (int head = 0; head < QueryHeads && _sequences[s].QueryCount > 0; head += groupHeads)
            {
                var row = _queries.Rows(_sequences, s, head, _sequences[s].KeyCount - 1);
                row.ColumnBase = KeyBase(s, head / GroupHeads, pageBlocks);
                rows.Add((With(row, tiles.RangeOf(blocks[s], blocks[s].Pattern!.PatternHeadOf(head))), s));
            }
        return Lists(rows, tiles.Entries, tiles.Positions, tiles.Masks, pageBlocks is null ? _keys : null) with
        {
            Changes = changes,
        };
    }

    // Lists that cannot be indexed are refused before they are built: every tile of rows has at least as many entries
    // as its lines keep on average. Heads that keep the same blocks share their lists.
    private void CheckEntries(ColumnTiles columns, BlockLayout layout, in Sequence sequence, int lines, int repetitions)
    {
        int blocks = (sequence.KeyCount - 1) / _geometry.BlockTokens + 1,
            first = sequence.FirstQueryPosition / _geometry.BlockTokens;
        if (sequence.QueryCount == 0 || (!layout.IsCausal && layout.KeyBlocks > blocks))
            return;
        long kept = 0;
        for (int head = 0; head < layout.Heads; head++)
            if (layout.FirstHeadLike(head) == head)
                kept += layout.CountBlocks(head, first, blocks);
        long entries = kept * _geometry.EntriesPerBlock * repetitions / lines;
        CheckCount(entries);
        columns.Reserve((int)entries);
    }

    private void CheckCount(long entries)
    {
        if (entries > MaxEntries)
            throw new ArgumentException(
                $"attention needs more than {MaxEntries:N0} list entries, which kernels cannot index: "
                + $"{_sequences.Length} sequences of up to {_sequences.Max(sequence => sequence.KeyCount):N0} keys, "
                + $"{QueryHeads} heads, blocks of {_geometry.BlockTokens} tokens; larger blocks or fewer heads need "
                    + $"less");
    }

    // The same for all positions in an entry, so no list has to change until its sequence leaves the entry.
    private (ColumnTiles Tiles, TileRange[] Ranges) TilesOfLastQuery(int s)
    {
        var layout = LayoutOf(s);
        int position = _sequences[s].KeyCount - 1;
        // The tile begins at the query itself, so its row has the bits of rows 0 to 15.
        var rows = new TilePositions(position, position, position + 1, 0, position + 1);
        var columns = new ColumnTiles(_geometry, rowsAreKeys: false, layout.IsCausal, CheckCount)
        {
            MasksLast = true,
        };
        var ranges = new TileRange[layout.Heads];
        for (int head = 0; head < ranges.Length; head++)
        {
            if (layout.FirstHeadLike(head) is var like && like < head)
            {
                ranges[head] = ranges[like];
                continue;
            }
            var row = layout.Row(head, position / layout.BlockTokens);
            columns.Reserve((row.Full.Length + row.Partial.Length) * _geometry.EntriesPerBlock);
            foreach (int block in row.Full)
                columns.Add(block, 1, rows, 0);
            foreach (int block in row.Partial)
                columns.Add(block, 1, rows, 0);
            ranges[head] = columns.Finish();
        }
        return (columns, ranges);
    }

    private TileRange[] RangesOfQueries(ColumnTiles columns, BlockLayout layout, Sequence sequence, int rowsPerTile,
        int first, int count)
    {
        int lines = Math.Max(1, rowsPerTile / _geometry.BlockTokens);
        CheckEntries(columns, layout, sequence, lines, repetitions: 1);
        var merged = Merged(layout, lines, areRows: true);
        var ranges = new TileRange[layout.Heads * count];
        for (int patternHead = 0; patternHead < layout.Heads; patternHead++)
            for (int tile = 0; tile < count && layout.FirstHeadLike(patternHead) == patternHead; tile++)
            {
                int position = (first + tile) * rowsPerTile,
                    line = position / (merged.LinesPerTile * _geometry.BlockTokens);
                var rows = new TilePositions(position, Math.Max(position, sequence.FirstQueryPosition),
                    Math.Min(position + rowsPerTile, sequence.KeyCount), 0, sequence.KeyCount);
                columns.Add(merged.Tile(patternHead, line), merged.LinesOf(line), rows, 0);
                ranges[patternHead * count + tile] = columns.Finish();
            }
        return ranges;
    }

    private TileRange[] RangesOfKeys(ColumnTiles columns, int s, int count)
    {
        var (sequence, layout) = (_sequences[s], LayoutOf(s));
        int lines = Math.Max(1, TileGeometry.TileTokens / _geometry.BlockTokens);
        CheckEntries(columns, layout, sequence, lines, repetitions: QueryHeads / layout.Heads);
        var merged = Merged(layout, lines, areRows: false);
        var ranges = new TileRange[KeyValueHeads * count];
        for (int head = 0; head < KeyValueHeads; head++)
        {
            int like = FirstKeyValueHeadLike(layout, head);
            if (like < head)
                Array.Copy(ranges, like * count, ranges, head * count, count);
            for (int tile = 0; tile < count && like == head; tile++)
            {
                int position = tile * TileGeometry.TileTokens,
                    line = position / (merged.LinesPerTile * _geometry.BlockTokens);
                var rows = new TilePositions(position, position,
                    Math.Min(position + TileGeometry.TileTokens, sequence.KeyCount), sequence.FirstQueryPosition,
                    sequence.KeyCount);
                for (int g = 0; g < GroupHeads && sequence.QueryCount > 0; g++)
                {
                    // Packed tiles of the group's heads follow one another; entries count from the first tile of the
                    // first head.
                    int firstEntry = (g * _queries.TilesPerHead(s) - _queries.FirstTile(s)) * _geometry.EntriesPerTile;
                    columns.Add(merged.Tile(layout.Pattern.PatternHeadOf(head * GroupHeads + g), line),
                        merged.LinesOf(line), rows, firstEntry);
                }
                ranges[head * count + tile] = columns.Finish();
            }
        }
        return ranges;
    }

    // The first KV head whose query heads keep the same blocks, one by one.
    private int FirstKeyValueHeadLike(BlockLayout layout, int head)
    {
        for (int other = 0; other < head; other++)
        {
            int same = 0;
            while (same < GroupHeads && LikeHead(other, same) == LikeHead(head, same))
                same++;
            if (same == GroupHeads)
                return other;
        }
        return head;

        int LikeHead(int keyValueHead, int g) =>
            layout.FirstHeadLike(layout.Pattern.PatternHeadOf(keyValueHead * GroupHeads + g));
    }

    // Long lists first, so that no group starts a long one when the others are done; equal ones in their order.
    private TileLists Lists(List<(RowTile Row, int Sequence)> rows, ColumnTiles columns, PackedTiles? columnSide) =>
        Lists(rows, columns.Entries, columns.Positions, columns.Masks, columnSide);

    private TileLists Lists(List<(RowTile Row, int Sequence)> rows, int[] entries, int[] positions, uint[] masks,
        PackedTiles? columnSide)
    {
        var order = new long[rows.Count];
        for (int n = 0; n < order.Length; n++)
            order[n] = (long)(int.MaxValue - (rows[n].Row.End - rows[n].Row.Start)) << 32 | (uint)n;
        Array.Sort(order);
        var (sorted, sequences) = (new RowTile[order.Length], new int[order.Length]);
        for (int n = 0; n < order.Length; n++)
            (sorted[n], sequences[n]) = rows[(int)(uint)order[n]];
        return new TileLists(sorted, entries, positions, masks, columnSide?.ToArray(_sequences) ?? [])
        {
            SequenceOfRows = sequences,
        };
    }

    private int KeyBase(int s, int keyValueHead, int? pageBlocks) =>
        pageBlocks is { } blocks ? checked((s * KeyValueHeads + keyValueHead) * blocks)
        : checked(_keys.Number(s, keyValueHead, 0) * _geometry.EntriesPerTile);

    private BlockLayout LayoutOf(int s) => _layouts.Count == 1 ? _layouts[0] : _layouts[s];

    private MergedTiles Merged(BlockLayout layout, int lines, bool areRows)
    {
        if (!_merged.TryGetValue((layout, areRows ? lines : -lines), out var merged))
            _merged.Add((layout, areRows ? lines : -lines), merged = areRows ? MergedTiles.OfRows(layout, lines)
                : MergedTiles.OfColumns(layout, lines));
        return merged;
    }

    private void CheckLayouts()
    {
        var (first, pattern) = (_layouts[0], _layouts[0].Pattern);
        if (_layouts.Count != 1 && _layouts.Count != _sequences.Length)
            throw new ArgumentException($"{_layouts.Count} layouts for {_sequences.Length} sequences");
        foreach (var layout in _layouts)
            if (layout.BlockTokens != first.BlockTokens || layout.IsCausal != first.IsCausal
                || layout.Heads != first.Heads
                || layout.Pattern.QueryHeads != pattern.QueryHeads
                    || layout.Pattern.KeyValueHeads != pattern.KeyValueHeads)
                throw new ArgumentException($"the layouts of a batch differ: {layout.Pattern} and {pattern}");
        for (int s = 0; s < _sequences.Length; s++)
            if (_sequences[s].KeyCount > LayoutOf(s).Tokens
                || (_sequences[s].QueryCount > 0 && _sequences[s].FirstQueryPosition
                / first.BlockTokens < LayoutOf(s).FirstQueryBlock))
                throw new ArgumentException(
                    $"a layout of {LayoutOf(s).Tokens} tokens from query block {LayoutOf(s).FirstQueryBlock} does not "
                    + $"cover {_sequences[s]}");
    }

    private static RowTile With(RowTile row, TileRange range)
    {
        (row.Start, row.FullEnd, row.End, row.SeenRows) = (range.Start, range.FullEnd, range.End, range.SeenRows);
        return row;
    }
}

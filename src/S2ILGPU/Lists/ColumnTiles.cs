using System.Numerics;
using System.Runtime.InteropServices;
using S2ILGPU.Layouts;

namespace S2ILGPU.Lists;

/// <summary>The part of the column tiles that one row tile meets: those that need no mask first.</summary>
/// <param name="Start">First column tile.</param>
/// <param name="FullEnd">End of the column tiles without a mask.</param>
/// <param name="End">End of the column tiles.</param>
/// <param name="SeenRows">See <see cref="Tiles.RowTile.SeenRows"/>.</param>
internal readonly record struct TileRange(int Start, int FullEnd, int End, uint SeenRows);

/// <summary>What a row tile is, for the choice of its columns.</summary>
/// <param name="FirstPosition">Absolute position of the tile's first row.</param>
/// <param name="Begin">First position that is stored.</param>
/// <param name="End">End of the positions that are stored; after <paramref name="Begin"/>.</param>
/// <param name="ColumnBegin">First column position of the sequence.</param>
/// <param name="ColumnEnd">End of the column positions of the sequence.</param>
internal readonly record struct TilePositions(int FirstPosition, int Begin, int End, int ColumnBegin, int ColumnEnd);

/// <summary>
/// Builds the lists of column tiles, one row tile after the other: splits blocks into entries, leaves out what no
/// stored row sees, and gathers entries without a mask into tiles without a mask.
/// </summary>
/// <param name="geometry">Blocks and entries.</param>
/// <param name="rowsAreKeys">Whether rows are keys and columns queries.</param>
/// <param name="isCausal">Whether queries see only keys at or before their own position.</param>
/// <param name="checkCount">Throws when so many entries are too many.</param>
internal sealed class ColumnTiles(TileGeometry geometry, bool rowsAreKeys, bool isCausal, Action<long> checkCount)
{
    private readonly List<int> _entries = [], _positions = [];
    private readonly List<uint> _masks = [];
    private readonly int _perTile = geometry.EntriesPerTile, _perBlock = geometry.EntriesPerBlock;
    private readonly int _columnShift = BitOperations.Log2((uint)geometry.BlockColumns);
    private readonly int _lineShift = BitOperations.Log2((uint)geometry.BlockTokens);
    private readonly List<(int Entry, int Position)> _full = [];
    private readonly List<(int Entry, int Position, uint Rows)> _masked = [];
    private int _start;

    /// <summary>Entries [tiles, E].</summary>
    public int[] Entries => [.. _entries];

    /// <summary>Positions [tiles, E].</summary>
    public int[] Positions => [.. _positions];

    /// <summary>Masks [tiles].</summary>
    public uint[] Masks => [.. _masks];

    /// <summary>Number of column tiles.</summary>
    public int Count => _masks.Count;

    /// <summary>Copies the column tiles to the start of longer arrays.</summary>
    public void CopyTo(Span<int> entries, Span<int> positions, Span<uint> masks)
    {
        _entries.CopyTo(entries);
        _positions.CopyTo(positions);
        _masks.CopyTo(masks);
    }

    /// <summary>Whether the entry with the last column is masked even where all of it is seen: a list then holds for
    /// every end in that entry.</summary>
    public bool MasksLast { get; init; }

    /// <summary>Makes room for so many entries more.</summary>
    public void Reserve(int entries)
    {
        _entries.EnsureCapacity((int)Math.Min(Array.MaxLength, (long)_entries.Count + entries));
        _positions.EnsureCapacity(_entries.Capacity);
        _masks.EnsureCapacity(_entries.Capacity / geometry.EntriesPerTile);
    }

    /// <summary>Adds the blocks of a merged tile of a layout to the row tile that is being built.</summary>
    /// <param name="blocks">Blocks that rows of the tile keep.</param>
    /// <param name="allLines">The lines that a full block stands for.</param>
    /// <param name="rows">The row tile.</param>
    /// <param name="firstEntry">Number of the entry at position 0.</param>
    public void Add(MergedTile blocks, byte allLines, in TilePositions rows, int firstEntry)
    {
        foreach (int block in blocks.Full)
            Add(block, allLines, rows, firstEntry);
        for (int n = 0; n < blocks.Partial.Length; n++)
            Add(blocks.Partial[n], blocks.PartialMasks[n], rows, firstEntry);
    }

    /// <summary>Adds a block that some lines of the row tile keep. A line is a block of rows; a tile within a block of
    /// 128 rows has one.</summary>
    public void Add(int block, byte lines, in TilePositions rows, int firstEntry)
    {
        int firstLine = rows.FirstPosition >> _lineShift, beginLine = (rows.Begin >> _lineShift) - firstLine,
            endLine = ((rows.End - 1) >> _lineShift) - firstLine + 1;
        int stored = (1 << endLine) - (1 << beginLine);
        if ((lines & stored) == 0)
            return;
        for (int part = 0; part < _perBlock; part++)
        {
            int column = block * _perBlock + part, position = column << _columnShift,
                last = position + (1 << _columnShift) - 1;
            if (last < rows.ColumnBegin || position >= rows.ColumnEnd
                || (isCausal && (rowsAreKeys ? last < rows.Begin : position >= rows.End)))
                continue;
            bool isVisible = !isCausal || (rowsAreKeys ? position >= rows.End - 1 : last <= rows.Begin);
            int entry = firstEntry + column;
            if (isVisible && (lines & stored) == stored && position >= rows.ColumnBegin
                && last < (MasksLast ? rows.ColumnEnd - 1 : rows.ColumnEnd))
                AddFull(entry, position);
            else
                _masked.Add((entry, position, RowBits(lines)));
        }
    }

    /// <summary>Ends the row tile.</summary>
    /// <returns>Its column tiles.</returns>
    public TileRange Finish()
    {
        int perTile = geometry.EntriesPerTile, start = _start, whole = _full.Count / perTile, fullEnd;
        checkCount(_entries.Count + ((long)_full.Count + _masked.Count + perTile - 1) / perTile * perTile);
        var full = CollectionsMarshal.AsSpan(_full);
        for (int tile = 0; tile < whole; tile++)
        {
            foreach (var (entry, position) in full.Slice(tile * perTile, perTile))
                AddEntry(entry, position);
            _masks.Add(uint.MaxValue);
        }
        fullEnd = _masks.Count;
        foreach (var (entry, position) in full[(whole * perTile)..])
            _masked.Insert(0, (entry, position, uint.MaxValue));
        for (int n = 0; n < _masked.Count; n += perTile)
        {
            uint mask = 0;
            for (int slot = 0; slot < perTile; slot++)
            {
                // Behind the last entry the last one again, with no bit set.
                var (entry, position, rows) = n + slot < _masked.Count ? _masked[n + slot]
                    : _masked[^1] with { Rows = 0 };
                AddEntry(entry, position);
                mask |= MaskOf(rows, slot);
            }
            _masks.Add(mask);
        }
        _full.Clear();
        _masked.Clear();
        _start = _masks.Count;
        return new TileRange(start, fullEnd, _start, SeenRows(start));
    }

    // Entries that fill a tile alone need not wait for others.
    private void AddFull(int entry, int position)
    {
        if (_perTile > 1)
        {
            _full.Add((entry, position));
            return;
        }
        AddEntry(entry, position);
        _masks.Add(uint.MaxValue);
    }

    // Bit r when one of the masks has a bit of row r. A block that rows keep begins at or before each of them, so each
    // sees a column of it.
    private uint SeenRows(int start)
    {
        uint mask = 0, rows = 0;
        for (int tile = start; tile < _masks.Count && mask != uint.MaxValue; tile++)
            mask |= _masks[tile];
        for (int r = 0; r < 8; r++)
            if ((mask >> 4 * r & 0xf) != 0)
                rows |= 1u << r;
        return rows;
    }

    private void AddEntry(int entry, int position)
    {
        _entries.Add(entry);
        _positions.Add(position);
    }

    // One bit for every 16 rows of the lines.
    private uint RowBits(byte lines)
    {
        int bitsPerLine = geometry.BlockTokens / TileGeometry.MaskTokens;
        uint bits = 0;
        for (int rest = lines; rest != 0; rest &= rest - 1)
            bits |= ((1u << bitsPerLine) - 1) << (BitOperations.TrailingZeroCount(rest) * bitsPerLine);
        return bits;
    }

    // Bit 4 r + c for every set bit r and the columns c of an entry.
    private uint MaskOf(uint rows, int slot)
    {
        int bitsPerEntry = geometry.BlockColumns / TileGeometry.MaskTokens;
        uint columns = ((1u << bitsPerEntry) - 1) << (slot * bitsPerEntry), mask = 0;
        for (int r = 0; r < 8; r++)
            if ((rows >> r & 1) != 0)
                mask |= columns << (4 * r);
        return mask;
    }
}

using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.Portable;

/// <summary>Where the marks of a row tile lie: those of its head's columns and slashes; -1 where all blocks are
/// kept.</summary>
internal struct ChosenMarks
{
    /// <summary>Index of the mark of key block 0, and of distance 0.</summary>
    public int Columns, Slashes;
}

/// <summary>Arguments of <see cref="ChosenLists"/>.</summary>
internal struct ChosenListArguments
{
    /// <summary>Row tiles, whose lists begin at Start and have room for all blocks. FullEnd, End and SeenRows are
    /// written.</summary>
    public ArrayView<RowTile> Rows;

    /// <summary>As in <see cref="ColumnLists"/>. Written.</summary>
    public ArrayView<int> Entries, Positions;

    /// <summary>As in <see cref="ColumnLists"/>. Written.</summary>
    public ArrayView<uint> Masks;

    /// <summary>Where the marks of each row tile lie. Read.</summary>
    public ArrayView<ChosenMarks> Choices;

    /// <summary>The marks. Read.</summary>
    public ArrayView<int> Kept;

    /// <summary>Tokens of a block, rows of a row tile.</summary>
    public int BlockTokens, TileRows;
}

/// <summary>Writes the lists of column tiles that attention kernels read, from marks of columns and slashes: first the
/// tiles that need no mask, then the others. A thread owns a row tile.</summary>
/// <remarks>The lists are those that the host builds of a layout, up to the order of entries. Every block is looked at
/// twice, so that no memory is needed but the lists. Roofline: latency of the marks, which lie in the caches; about one
/// step for each column tile of dense attention.</remarks>
internal static class ChosenLists
{
    private const int ColumnTile = 64, MaskTokens = 16;

    /// <summary>A list that grows.</summary>
    private struct Writer
    {
        public int Full, FullRoom, Masked, Entry, Position;
        public uint Mask, Seen;
    }

    public static void Build(ChosenListArguments a)
    {
        for (int n = Grid.IdxX * Group.DimX + Group.IdxX; n < a.Rows.IntLength; n += Grid.DimX * Group.DimX)
            Build(a, n);
    }

    private static void Build(in ChosenListArguments a, int n)
    {
        var row = a.Rows[n];
        var marks = a.Choices[n];
        int begin = row.FirstPosition + IntrinsicMath.Max(0, row.BeginRow - row.FirstRow),
            end = row.FirstPosition + IntrinsicMath.Min(a.TileRows, row.EndRow - row.FirstRow);
        int first = row.FirstPosition / a.BlockTokens, beginLine = begin / a.BlockTokens - first,
            endLine = (end - 1) / a.BlockTokens - first + 1, stored = (1 << endLine) - (1 << beginLine);
        int width = IntrinsicMath.Min(a.BlockTokens, ColumnTile), entries = ColumnTile / width;

        int full = 0, lines = 0;
        for (int position = 0; position < end; position += width)
        {
            if (position % a.BlockTokens == 0)
                lines = Lines(a, marks, first, beginLine, endLine, position / a.BlockTokens);
            full += IsFull(lines, stored, position + width - 1, begin) ? 1 : 0;
        }
        var list = new Writer { FullRoom = full / entries * entries };
        for (int position = 0; position < end; position += width)
        {
            if (position % a.BlockTokens == 0)
                lines = Lines(a, marks, first, beginLine, endLine, position / a.BlockTokens);
            if (lines == 0)
                continue;
            (list.Entry, list.Position) = (position / width, position);
            bool isFull = IsFull(lines, stored, position + width - 1, begin);
            if (isFull && list.Full < list.FullRoom)
                AddFull(a, row.Start, entries, ref list);
            else
                AddMasked(a, row.Start, entries, isFull ? 0xff : RowBits(a, lines), ref list);
        }
        while (list.Masked % entries != 0) // behind the last entry it comes again, with no bit set
            AddMasked(a, row.Start, entries, 0, ref list);
        row.FullEnd = row.Start + list.FullRoom / entries;
        row.End = row.FullEnd + list.Masked / entries;
        row.SeenRows = SeenRows(list.FullRoom > 0 ? uint.MaxValue : list.Seen);
        a.Rows[n] = row;
    }

    // Bit l: line l of the row tile keeps the block. A line is a block of queries.
    private static int Lines(in ChosenListArguments a, in ChosenMarks marks, int first, int beginLine, int endLine,
        int block)
    {
        int lines = 0;
        bool isColumn = marks.Columns < 0;
        if (!isColumn)
            isColumn = a.Kept[marks.Columns + block] != 0;
        for (int line = beginLine; line < endLine; line++)
        {
            int distance = first + line - block;
            bool isKept = distance == 0 || (distance > 0 && isColumn);
            if (!isKept && distance > 0)
                isKept = a.Kept[marks.Slashes + distance] != 0;
            lines |= isKept ? 1 << line : 0;
        }
        return lines;
    }

    private static bool IsFull(int lines, int stored, int lastPosition, int begin) =>
        lines == stored && lastPosition <= begin;

    private static void AddFull(in ChosenListArguments a, int start, int entries, ref Writer list)
    {
        Add(a, start * entries + list.Full, list);
        if (list.Full % entries == 0)
            a.Masks[start + list.Full / entries] = uint.MaxValue;
        list.Full++;
    }

    private static void AddMasked(in ChosenListArguments a, int start, int entries, int rows, ref Writer list)
    {
        Add(a, start * entries + list.FullRoom + list.Masked, list);
        list.Mask |= MaskOf(rows, list.Masked % entries, entries);
        list.Masked++;
        if (list.Masked % entries != 0)
            return;
        a.Masks[start + (list.FullRoom + list.Masked) / entries - 1] = list.Mask;
        list.Seen |= list.Mask;
        list.Mask = 0;
    }

    private static void Add(in ChosenListArguments a, int at, in Writer list)
    {
        a.Entries[at] = list.Entry;
        a.Positions[at] = list.Position;
    }

    // One bit for every 16 rows of the lines.
    private static int RowBits(in ChosenListArguments a, int lines)
    {
        int perLine = a.BlockTokens / MaskTokens, bits = 0;
        for (int line = 0; lines >> line != 0; line++)
            bits |= (lines >> line & 1) * ((1 << perLine) - 1) << line * perLine;
        return bits;
    }

    // Bit 4 r + c for every set bit r and the columns c of an entry.
    private static uint MaskOf(int rows, int slot, int entries)
    {
        int perEntry = 4 / entries;
        uint columns = (1u << perEntry) - 1u << slot * perEntry, mask = 0;
        for (int r = 0; r < 8; r++)
            mask |= (rows >> r & 1) != 0 ? columns << 4 * r : 0;
        return mask;
    }

    private static uint SeenRows(uint mask)
    {
        uint rows = 0;
        for (int r = 0; r < 8; r++)
            rows |= (mask >> 4 * r & 0xf) != 0 ? 1u << r : 0;
        return rows;
    }
}

using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>The row tiles of a launch and the column tiles that they meet: all that an attention kernel knows of a
/// sparsity pattern.</summary>
/// <remarks>
/// A column tile is 64 columns gathered from E = 64 / BlockColumns entries, with BlockColumns = min(block of the
/// pattern, 64); a block of 128 tokens is two entries. Entries that only fill up a tile have all their mask bits clear
/// and name a block that exists.
/// </remarks>
internal struct ColumnLists
{
    /// <summary>The row tiles, one per group of threads, those with long lists first.</summary>
    public ArrayView<RowTile> Rows;

    /// <summary>Entries [tiles, E]: blocks of BlockColumns columns. Memory block = ColumnBase + entry, or
    /// Pages[ColumnBase + entry].</summary>
    public ArrayView<int> Entries;

    /// <summary>Absolute position of the first column of each entry, [tiles, E].</summary>
    public ArrayView<int> Positions;

    /// <summary>Bit <c>4 r + c</c> says whether rows 16r to 16r+15 of the row tile keep columns 16c to 16c+15 of the
    /// column tile; meaningful for tiles with a mask. [tiles].</summary>
    public ArrayView<uint> Masks;

    /// <summary>Page of each block, where columns lie in pages; empty otherwise.</summary>
    public ArrayView<int> Pages;
}

using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>The blocks in memory that a thread copies parts of, for one column tile.</summary>
internal static class TileEntries<TShape> where TShape : struct, ITileShape
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>First of the thread's entries in a column tile; 0 unless a pass of the copying threads covers several
    /// entries.</summary>
    [MethodImpl(Inline)]
    public static int First(int thread) => TileLayout<TShape>.CopyRow(thread) / TShape.BlockColumns;

    /// <summary>Reads the numbers of the blocks of column tile <paramref name="tile"/>.</summary>
    /// <param name="blocks">Written, [<see cref="TileLayout{TShape}.ThreadBlocks"/>].</param>
    /// <param name="lists">The lists.</param>
    /// <param name="columnBase">See <see cref="RowTile.ColumnBase"/>.</param>
    /// <param name="tile">Column tile.</param>
    /// <param name="first">The thread's first entry.</param>
    [MethodImpl(Inline)]
    public static void Load(ArrayView<int> blocks, in ColumnLists lists, int columnBase, int tile, int first)
    {
        for (int j = 0; j < TileLayout<TShape>.ThreadBlocks; j++)
        {
            int block = columnBase + lists.Entries[tile * TileLayout<TShape>.Entries + first + j
                * TileLayout<TShape>.BlockPeriod / TShape.BlockColumns];
            blocks[j] = TShape.Paged ? lists.Pages[block] : block;
        }
    }

    /// <summary>The same of pages in the order of their columns; past the last column it is the last page
    /// again.</summary>
    /// <param name="blocks">Written, [<see cref="TileLayout{TShape}.ThreadBlocks"/>].</param>
    /// <param name="pages">The page table.</param>
    /// <param name="start">Index of the page of column 0 there.</param>
    /// <param name="last">Entry of the last column.</param>
    /// <param name="tile">Column tile.</param>
    /// <param name="first">The thread's first entry.</param>
    [MethodImpl(Inline)]
    public static void LoadInOrder(ArrayView<int> blocks, ArrayView<int> pages, int start, int last, int tile,
        int first)
    {
        for (int j = 0; j < TileLayout<TShape>.ThreadBlocks; j++)
            blocks[j] = pages[start + IntrinsicMath.Min(last, tile * TileLayout<TShape>.Entries + first + j
                * TileLayout<TShape>.BlockPeriod / TShape.BlockColumns)];
    }

    /// <summary>Block 0 everywhere, for lists without entries.</summary>
    [MethodImpl(Inline)]
    public static void Clear(ArrayView<int> blocks)
    {
        for (int j = 0; j < TileLayout<TShape>.ThreadBlocks; j++)
            blocks[j] = 0;
    }
}

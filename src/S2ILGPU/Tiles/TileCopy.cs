using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>The part of one thread in filling shared tiles from device memory.</summary>
internal struct TileCopy<TShape> where TShape : struct, ITileShape
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>The group's shared memory.</summary>
    public ArrayView<U4> Memory;

    /// <summary>Address of the thread's first chunk in the tile at offset 0.</summary>
    public uint Target;

    /// <summary>Byte offset of that chunk in its block.</summary>
    public uint Source;

    /// <summary>Part of thread number <paramref name="thread"/> of those that fill the tile at <paramref
    /// name="address"/>; blocks begin <paramref name="firstRow"/> rows above it.</summary>
    [MethodImpl(Inline)]
    public static TileCopy<TShape> At(ArrayView<U4> memory, uint address, int thread, int firstRow)
    {
        int row = TileLayout<TShape>.CopyRow(thread), chunk = TileLayout<TShape>.CopyChunk(thread);
        TileCopy<TShape> copy = default;
        copy.Memory = memory;
        copy.Target = Intrinsics.Pin(address + TileLayout<TShape>.Chunk(row, chunk));
        copy.Source =
            Intrinsics.Pin((uint)((firstRow + row) % TShape.BlockColumns * TileLayout<TShape>.RowBytes + chunk * 16));
        return copy;
    }

    /// <summary>Starts copying the tile that consists of <paramref name="blocks"/> to shared memory, <paramref
    /// name="stage"/> + <paramref name="offset"/> bytes after the first tile.</summary>
    [MethodImpl(Inline)]
    public readonly void Load(ArrayView<U4> source, ArrayView<int> blocks, uint stage, int offset)
    {
        for (int i = 0; i < TileLayout<TShape>.Passes; i++)
        {
            int row = i * TileLayout<TShape>.PassRows;
            ulong from = Block(source, blocks[row / TileLayout<TShape>.BlockPeriod]);
            for (int panel = 0; panel < TileLayout<TShape>.Panels; panel++)
                Intrinsics.CopyAsync(To(stage, row), ToOffset(offset, row, panel), from, FromOffset(row, panel),
                    ref Memory[0], ref source[0]);
        }
    }

    /// <summary>The same, but reads nothing and writes zeros when <paramref name="bytes"/> is 0 instead of
    /// 16.</summary>
    [MethodImpl(Inline)]
    public readonly void LoadOrZero(ArrayView<U4> source, ArrayView<int> blocks, uint stage, int offset, uint bytes)
    {
        for (int i = 0; i < TileLayout<TShape>.Passes; i++)
        {
            int row = i * TileLayout<TShape>.PassRows;
            ulong from = Block(source, blocks[row / TileLayout<TShape>.BlockPeriod]);
            for (int panel = 0; panel < TileLayout<TShape>.Panels; panel++)
                Intrinsics.CopyAsyncOrZero(To(stage, row), ToOffset(offset, row, panel), from, FromOffset(row, panel),
                    bytes, ref Memory[0], ref source[0]);
        }
    }

    /// <summary>Overwrites with zeros what the thread copied of columns that do not exist: rows of a page past the
    /// last key hold anything, and 0 * NaN is NaN. The thread has waited for its copies; no other thread has read them
    /// yet.</summary>
    /// <param name="lists">The lists.</param>
    /// <param name="columnTile">The column tile that was copied.</param>
    /// <param name="entry">The thread's first entry in it.</param>
    /// <param name="firstColumn">First column of that entry of which the thread copied a part.</param>
    /// <param name="stage">As it was copied.</param>
    /// <param name="offset">As it was copied.</param>
    [MethodImpl(Inline)]
    public readonly void ZeroBehindEnd(in ColumnLists lists, int columnTile, int entry, int firstColumn, uint stage,
        int offset)
    {
        int end = lists.Rows[Grid.IdxX].ColumnEnd - firstColumn;
        for (int j = 0; j < TileLayout<TShape>.ThreadBlocks; j++)
        {
            int count = end - lists.Positions[columnTile * TileLayout<TShape>.Entries + entry + j
                * TileLayout<TShape>.BlockPeriod / TShape.BlockColumns];
            for (int i = 0; i < TileLayout<TShape>.BlockPasses; i++)
            {
                int row = j * TileLayout<TShape>.BlockPeriod + i * TileLayout<TShape>.PassRows;
                for (int panel = 0; panel < TileLayout<TShape>.Panels; panel++)
                    Intrinsics.ZeroSharedUnless(To(stage, row), ToOffset(offset, row, panel),
                        count - i * TileLayout<TShape>.PassRows, ref Memory[0]);
            }
        }
    }

    /// <summary>Starts copying rows of a strided tensor: row <c>FirstRow + r</c> goes to row r of <paramref
    /// name="count"/>, and rows outside [begin, end) become zero.</summary>
    [MethodImpl(Inline)]
    public static void LoadStrided(ArrayView<U4> memory, uint address, ArrayView<U4> source, in RowStrides strides,
        in RowTile tile, int count)
    {
        int row = TileLayout<TShape>.CopyRow(Group.IdxX), chunk = TileLayout<TShape>.CopyChunk(Group.IdxX);
        uint target = address + TileLayout<TShape>.Chunk(row, chunk);
        long element = strides.Offset + tile.Batch * strides.Batch + tile.Head * strides.Head + (tile.FirstRow + row)
            * strides.Row + chunk * 8;
        ulong from = Intrinsics.GlobalAddress(ref source[0]) + (ulong)(element * 2);
        for (int i = 0; i < count / TileLayout<TShape>.PassRows; i++)
        {
            int pass = i * TileLayout<TShape>.PassRows, at = tile.FirstRow + row + pass;
            LoadPass(memory, target, pass, source, from + (ulong)(pass * strides.Row * 2),
                at >= tile.BeginRow && at < tile.EndRow ? 16u : 0u);
        }
    }

    /// <summary>Starts copying single rows of a head: row <c>rows[first + r]</c> goes to row r of <paramref
    /// name="count"/>, and rows past the end of the list become zero.</summary>
    /// <param name="memory">The group's shared memory.</param>
    /// <param name="address">Where the rows go.</param>
    /// <param name="source">The tensor's memory.</param>
    /// <param name="start">The element where row 0 of the head begins.</param>
    /// <param name="stride">Elements between neighbouring rows.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="first">First entry of the list.</param>
    /// <param name="count">Rows of the tile.</param>
    [MethodImpl(Inline)]
    public static void LoadChosen(ArrayView<U4> memory, uint address, ArrayView<U4> source, long start, long stride,
        ArrayView<int> rows, int first, int count)
    {
        int row = TileLayout<TShape>.CopyRow(Group.IdxX), chunk = TileLayout<TShape>.CopyChunk(Group.IdxX);
        uint target = address + TileLayout<TShape>.Chunk(row, chunk);
        for (int i = 0; i < count / TileLayout<TShape>.PassRows; i++)
        {
            int pass = i * TileLayout<TShape>.PassRows, at = first + row + pass;
            long element = start + rows[IntrinsicMath.Min(at, rows.IntLength - 1)] * stride + chunk * 8;
            LoadPass(memory, target, pass, source, Intrinsics.GlobalAddress(ref source[0]) + (ulong)(element * 2),
                at < rows.IntLength ? 16u : 0u);
        }
    }

    /// <summary>Starts copying the thread's chunks of one row, or writes zeros.</summary>
    [MethodImpl(Inline)]
    private static void LoadPass(ArrayView<U4> memory, uint target, int pass, ArrayView<U4> source, ulong from,
        uint bytes)
    {
        uint to = target ^ (uint)(TileLayout<TShape>.Swizzle(pass) << 4);
        for (int panel = 0; panel < TileLayout<TShape>.Panels; panel++)
            Intrinsics.CopyAsyncOrZero(to, ToOffset(0, pass, panel), from,
                (uint)(panel * TileLayout<TShape>.PanelBytes), bytes, ref memory[0], ref source[0]);
    }

    /// <summary>Address of the thread's chunk in a block: the block's distance and the thread's are added first, so
    /// that no 64-bit base stays in registers.</summary>
    [MethodImpl(Inline)]
    private readonly ulong Block(ArrayView<U4> source, int block) =>
        Intrinsics.GlobalAddress(ref source[0])
        + ((ulong)(uint)block * (ulong)(uint)TileLayout<TShape>.BlockBytes + Source);

    [MethodImpl(Inline)]
    private readonly uint To(uint stage, int row) => (Target + stage) ^ (uint)(TileLayout<TShape>.Swizzle(row) << 4);

    [MethodImpl(Inline)]
    private static uint ToOffset(int offset, int row, int panel) =>
        (uint)(offset + row * TileLayout<TShape>.RowBytes + panel * TileLayout<TShape>.PanelBytes);

    [MethodImpl(Inline)]
    private static uint FromOffset(int row, int panel) =>
        (uint)(row % TileLayout<TShape>.BlockPeriod * TileLayout<TShape>.RowBytes + panel
        * TileLayout<TShape>.PanelBytes);
}

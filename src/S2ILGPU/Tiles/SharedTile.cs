using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>A matrix [rows, D] of 16-bit elements in shared memory, as one lane addresses it; see <see
/// cref="TileLayout{TShape}"/>.</summary>
/// <remarks>Tiles at constant distances share the addresses and differ in <see cref="Offset"/>, which goes into the
/// instructions.</remarks>
internal struct SharedTile<TShape> where TShape : struct, ITileShape
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>The group's shared memory.</summary>
    public ArrayView<U4> Memory;

    /// <summary>Address of the lane's row for <see cref="LoadColumns"/>.</summary>
    public uint DotLane;

    /// <summary>Address of the lane's row for <see cref="LoadRows"/> and <see cref="LoadTransposed"/>.</summary>
    public uint RowLane;

    /// <summary>Constant distance from those addresses, in bytes.</summary>
    public int Offset;

    /// <summary>The tile at an address, as the calling lane sees it.</summary>
    [MethodImpl(Inline)]
    public static SharedTile<TShape> At(ArrayView<U4> memory, uint address)
    {
        int lane = Group.IdxX & 31, row = lane & 7, matrix = lane >> 3;
        SharedTile<TShape> tile = default;
        tile.Memory = memory;
        tile.DotLane = Intrinsics.Pin(address + TileLayout<TShape>.Chunk((matrix >> 1) * 8 + row, matrix & 1));
        tile.RowLane = Intrinsics.Pin(address + TileLayout<TShape>.Chunk((matrix & 1) * 8 + row, matrix >> 1));
        return tile;
    }

    /// <summary>The part of the tile at an address that begins at a column or a row.</summary>
    /// <param name="memory">The group's shared memory.</param>
    /// <param name="address">The tile.</param>
    /// <param name="lane">The column, a multiple of as many columns (16, 32 or 64) as are read from there on; or the
    /// row, a multiple of 8.</param>
    /// <param name="isColumn">Whether it is a column; a constant.</param>
    [MethodImpl(Inline)]
    public static SharedTile<TShape> AtLane(ArrayView<U4> memory, uint address, int lane, bool isColumn)
    {
        var tile = At(memory, address + (uint)(isColumn ? lane / 64 * 128 : lane * TileLayout<TShape>.RowBytes));
        uint flip = isColumn ? (uint)(lane % 64 * 2) : 0u;
        tile.DotLane = Intrinsics.Pin(tile.DotLane ^ flip);
        tile.RowLane = Intrinsics.Pin(tile.RowLane ^ flip);
        return tile;
    }

    /// <summary>The tile <paramref name="bytes"/> further, a constant.</summary>
    [MethodImpl(Inline)]
    public readonly SharedTile<TShape> Behind(int bytes)
    {
        SharedTile<TShape> tile = default;
        tile.Memory = Memory;
        tile.DotLane = DotLane;
        tile.RowLane = RowLane;
        tile.Offset = Offset + bytes;
        return tile;
    }

    /// <summary>The tile <paramref name="bytes"/> further, a number that changes.</summary>
    [MethodImpl(Inline)]
    public readonly SharedTile<TShape> Moved(uint bytes)
    {
        SharedTile<TShape> tile = default;
        tile.Memory = Memory;
        tile.DotLane = DotLane + bytes;
        tile.RowLane = RowLane + bytes;
        tile.Offset = Offset;
        return tile;
    }

    /// <summary>A operand of a product: rows <paramref name="row"/> to row + 15, columns 16k to 16k + 15.</summary>
    [MethodImpl(Inline)]
    public readonly U4 LoadRows(int row, int k) =>
        Intrinsics.LoadMatrix(RowLane ^ TileLayout<TShape>.ColumnFlip(k),
        (uint)(Offset + TileLayout<TShape>.ColumnPanel(k) + row * TileLayout<TShape>.RowBytes), ref Memory[0]);

    /// <summary>B operands of a product with the transposed tile: columns 16k to 16k + 15 of rows <paramref
    /// name="row"/> to row + 7 (X, Y) and row + 8 to row + 15 (Z, W).</summary>
    [MethodImpl(Inline)]
    public readonly U4 LoadColumns(int row, int k) =>
        Intrinsics.LoadMatrix(DotLane ^ TileLayout<TShape>.ColumnFlip(k),
        (uint)(Offset + TileLayout<TShape>.ColumnPanel(k) + row * TileLayout<TShape>.RowBytes), ref Memory[0]);

    /// <summary>B operands of a product with the tile itself: rows <paramref name="row"/> to row + 15 of columns 16k to
    /// 16k + 7 (X, Y) and 16k + 8 to 16k + 15 (Z, W).</summary>
    [MethodImpl(Inline)]
    public readonly U4 LoadTransposed(int row, int k) =>
        Intrinsics.LoadMatrixTransposed(RowLane ^ TileLayout<TShape>.ColumnFlip(k),
        (uint)(Offset + TileLayout<TShape>.ColumnPanel(k) + row * TileLayout<TShape>.RowBytes), ref Memory[0]);

    /// <summary>A operand of a product of the transposed tile: columns 16k to 16k + 15 as rows, rows <paramref
    /// name="row"/> to row + 15 as columns.</summary>
    [MethodImpl(Inline)]
    public readonly U4 LoadRowsTransposed(int row, int k) =>
        Intrinsics.LoadMatrixTransposed(DotLane ^ TileLayout<TShape>.ColumnFlip(k),
        (uint)(Offset + TileLayout<TShape>.ColumnPanel(k) + row * TileLayout<TShape>.RowBytes), ref Memory[0]);
}

using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>A operands of a warp in registers: its 16 x RowTiles rows with <typeparamref name="TColumns"/> columns of
/// 16-bit elements.</summary>
/// <remarks>Word e of the 16x16 tile (m, k): row g + 8 (e % 2), columns 2t, 2t + 1 plus 8 (e / 2), of lane 4g +
/// t.</remarks>
internal struct RowFragment<TShape, TColumns> where TShape : struct, ITileShape where TColumns : struct, INumber
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>Words [RowTiles, columns / 16, 4].</summary>
    public ArrayView<uint> Words;

    /// <summary>A fragment without a value.</summary>
    [MethodImpl(Inline)]
    public static RowFragment<TShape, TColumns> Allocate()
    {
        RowFragment<TShape, TColumns> fragment = default;
        fragment.Words = LocalMemory.Allocate<uint>(TShape.RowTiles * (TColumns.Value / 16) * 4);
        return fragment;
    }

    /// <summary>Tile (m, k).</summary>
    [MethodImpl(Inline)]
    public readonly U4 Tile(int m, int k)
    {
        int at = (m * (TColumns.Value / 16) + k) * 4;
        return new() { X = Words[at], Y = Words[at + 1], Z = Words[at + 2], W = Words[at + 3] };
    }

    /// <summary>Replaces tile (m, k).</summary>
    [MethodImpl(Inline)]
    public readonly void SetTile(int m, int k, U4 tile)
    {
        int at = (m * (TColumns.Value / 16) + k) * 4;
        Words[at] = tile.X;
        Words[at + 1] = tile.Y;
        Words[at + 2] = tile.Z;
        Words[at + 3] = tile.W;
    }

    /// <summary>Loads the rows of the calling warp from a tile in shared memory.</summary>
    [MethodImpl(Inline)]
    public readonly void Load(in SharedTile<TShape> rows)
    {
        for (int m = 0; m < TShape.RowTiles; m++)
        {
            for (int k = 0; k < TColumns.Value / 16; k++)
                SetTile(m, k, rows.LoadRows(m * 16, k));
        }
    }
}

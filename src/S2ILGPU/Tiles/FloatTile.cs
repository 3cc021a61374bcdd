using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>A tile of results in shared memory, floats [rows, columns]: fragments go in, rows of neighbouring elements
/// come out.</summary>
/// <remarks>A row takes 8 floats more than it has, so that the lanes of a store hit different banks.</remarks>
internal static class FloatTile<TColumns> where TColumns : struct, INumber
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>Bytes of a row.</summary>
    public static int RowBytes { [MethodImpl(Inline)] get => (TColumns.Value + 8) * 4; }

    /// <summary>Quads of neighbouring elements in a row.</summary>
    public static int Quads { [MethodImpl(Inline)] get => TColumns.Value / 4; }

    /// <summary>Stores the results of a warp, whose first row and column are given.</summary>
    [MethodImpl(Inline)]
    public static void Store<TShape, TWidth>(in AccumulatorFragment<TShape, TWidth> results, ArrayView<U4> memory,
        uint address, int row, int column) where TShape : struct, ITileShape where TWidth : struct, INumber
    {
        int lane = Group.IdxX & 31;
        uint at = Intrinsics.Pin(address + (uint)((row + (lane >> 2)) * RowBytes + (column + (lane & 3) * 2) * 4));
        for (int m = 0; m < TShape.RowTiles; m++)
        {
            for (int n = 0; n < TWidth.Value / 8; n++)
            {
                int x = AccumulatorFragment<TShape, TWidth>.At(m, n);
                Intrinsics.StoreShared2(at, (uint)(m * 16 * RowBytes + n * 32),
                    new F2 { X = results.Values[x], Y = results.Values[x + 1] }, ref memory[0]);
                Intrinsics.StoreShared2(at, (uint)((m * 16 + 8) * RowBytes + n * 32),
                    new F2 { X = results.Values[x + 2], Y = results.Values[x + 3] }, ref memory[0]);
            }
        }
    }

    /// <summary>Four neighbouring elements of a row.</summary>
    [MethodImpl(Inline)]
    public static F4 Load(ArrayView<U4> memory, uint address, int row, int quad) =>
        Intrinsics.LoadShared4(address + (uint)(row * RowBytes + quad * 16), 0, ref memory[0]);
}

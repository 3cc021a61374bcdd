using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>C^T of a warp in registers: 16 TColumnTiles columns of C for 8 TRowTiles rows of it, floats.</summary>
/// <remarks>Value e of tile (m, n): column 16m + g + 8 (e / 2), row 8n + 2t + e % 2 of C, of lane 4g + t.</remarks>
internal struct TransposedFragment<TColumnTiles, TRowTiles> where TColumnTiles : struct, INumber
    where TRowTiles : struct, INumber
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>Values [TColumnTiles, TRowTiles, 4].</summary>
    public ArrayView<float> Values;

    /// <summary>Rows of C.</summary>
    public static int Rows { [MethodImpl(Inline)] get => TRowTiles.Value * 8; }

    /// <summary>Quads of columns of C.</summary>
    public static int Quads { [MethodImpl(Inline)] get => TColumnTiles.Value * 4; }

    /// <summary>Bytes of a row in shared memory: 4 floats more than it has, so that the lanes of a store hit different
    /// banks.</summary>
    public static int RowBytes { [MethodImpl(Inline)] get => (TColumnTiles.Value * 16 + 4) * 4; }

    /// <summary>Bytes of a warp's results in shared memory.</summary>
    public static int Bytes { [MethodImpl(Inline)] get => Rows * RowBytes; }

    /// <summary>A fragment of zeros.</summary>
    [MethodImpl(Inline)]
    public static TransposedFragment<TColumnTiles, TRowTiles> Zero()
    {
        TransposedFragment<TColumnTiles, TRowTiles> fragment = default;
        fragment.Values = LocalMemory.Allocate<float>(TColumnTiles.Value * TRowTiles.Value * 4);
        for (int i = 0; i < TColumnTiles.Value * TRowTiles.Value * 4; i++)
            fragment.Values[i] = 0f;
        return fragment;
    }

    /// <summary>Adds the products of 32 steps to tile (m, n).</summary>
    /// <param name="m">Which 16 columns of C.</param>
    /// <param name="n">Which 8 rows of C.</param>
    /// <param name="upper">The lane's part of row g of those 16 of B^T.</param>
    /// <param name="lower">The lane's part of row g + 8.</param>
    /// <param name="x">The lane's part of row g of those 8 of A.</param>
    [MethodImpl(Inline)]
    public readonly void MultiplyAdd<TElement>(int m, int n, U4 upper, U4 lower, U4 x)
        where TElement : struct, IElement
    {
        int at = (m * TRowTiles.Value + n) * 4;
        var sum = new F4 { X = Values[at], Y = Values[at + 1], Z = Values[at + 2], W = Values[at + 3] };
        sum = TElement.MultiplyAdd(sum, new U4 { X = upper.X, Y = lower.X, Z = upper.Y, W = lower.Y },
            new U2 { X = x.X, Y = x.Y });
        sum = TElement.MultiplyAdd(sum, new U4 { X = upper.Z, Y = lower.Z, Z = upper.W, W = lower.W },
            new U2 { X = x.Z, Y = x.W });
        Values[at] = sum.X;
        Values[at + 1] = sum.Y;
        Values[at + 2] = sum.Z;
        Values[at + 3] = sum.W;
    }

    /// <summary>Writes the warp's rows of C [<see cref="Rows"/>, <see cref="RowBytes"/>] to shared memory.</summary>
    [MethodImpl(Inline)]
    public readonly void Store(ArrayView<U4> memory, uint address)
    {
        int lane = Group.IdxX & 31;
        uint at = Intrinsics.Pin(address + (uint)((lane & 3) * 2 * RowBytes + (lane >> 2) * 4));
        for (int m = 0; m < TColumnTiles.Value; m++)
        {
            for (int n = 0; n < TRowTiles.Value; n++)
            {
                int x = (m * TRowTiles.Value + n) * 4, offset = n * 8 * RowBytes + m * 64;
                Intrinsics.StoreShared(at, (uint)offset, Values[x], ref memory[0]);
                Intrinsics.StoreShared(at, (uint)(offset + RowBytes), Values[x + 1], ref memory[0]);
                Intrinsics.StoreShared(at, (uint)(offset + 32), Values[x + 2], ref memory[0]);
                Intrinsics.StoreShared(at, (uint)(offset + RowBytes + 32), Values[x + 3], ref memory[0]);
            }
        }
    }

    /// <summary>Four neighbouring elements of a row of C, summed over the warps, from the first to the last.</summary>
    [MethodImpl(Inline)]
    public static F4 Sum(ArrayView<U4> memory, uint address, int row, int quad, int warps)
    {
        uint at = address + (uint)(row * RowBytes + quad * 16);
        F4 sum = default;
        for (int warp = 0; warp < warps; warp++)
        {
            var x = Intrinsics.LoadShared4(at + (uint)(warp * Bytes), 0, ref memory[0]);
            sum = new() { X = sum.X + x.X, Y = sum.Y + x.Y, Z = sum.Z + x.Z, W = sum.W + x.W };
        }
        return sum;
    }
}

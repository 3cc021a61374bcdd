using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>O^T [D, 8] of a warp in registers: one query each of up to 8 heads as columns.</summary>
/// <remarks>Value e of rows 16n to 16n + 15: row g + 8 (e / 2), column 2t + e % 2, of lane 4g + t.</remarks>
internal struct HeadFragment<TShape> where TShape : struct, ITileShape
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>Values [D / 16, 4].</summary>
    public ArrayView<float> Values;

    /// <summary>Floats between the lines of two heads in shared memory: four more than D, so that the lanes of a store
    /// hit different banks.</summary>
    public static int Line { [MethodImpl(Inline)] get => TShape.HeadDim + 4; }

    /// <summary>A fragment of zeros.</summary>
    [MethodImpl(Inline)]
    public static HeadFragment<TShape> Zero()
    {
        HeadFragment<TShape> fragment = default;
        fragment.Values = LocalMemory.Allocate<float>(TShape.HeadDim / 16 * 4);
        for (int i = 0; i < TShape.HeadDim / 16 * 4; i++)
            fragment.Values[i] = 0f;
        return fragment;
    }

    /// <summary>Multiplies columns 2t and 2t + 1 by one factor each, and adds <c>V^T P^T</c> for 16 rows of V and two
    /// 16-bit pairs of P per lane.</summary>
    /// <param name="left">Factor of column 2t.</param>
    /// <param name="right">Factor of column 2t + 1.</param>
    /// <param name="values">V.</param>
    /// <param name="weights">P of rows 2t, 2t + 1 and of rows 2t + 8, 2t + 9 of V.</param>
    /// <param name="masked">Whether rows of V may hold anything, NaN too, which a weight of 0 does not hide. A
    /// constant.</param>
    /// <param name="existing">The bits of those two pairs of rows of V that count, if <paramref
    /// name="masked"/>.</param>
    [MethodImpl(Inline)]
    public readonly void ScaleAndMultiply<TElement>(float left, float right, in SharedTile<TShape> values, U2 weights,
        bool masked, U2 existing) where TElement : struct, IElement
    {
        for (int n = 0; n < TShape.HeadDim / 16; n++)
        {
            var sum = new F4 { X = Values[n * 4] * left, Y = Values[n * 4 + 1] * right, Z = Values[n * 4 + 2] * left,
                W = Values[n * 4 + 3] * right };
            var rows = values.LoadRowsTransposed(0, n);
            if (masked)
                rows = new U4 { X = rows.X & existing.X, Y = rows.Y & existing.X, Z = rows.Z & existing.Y,
                    W = rows.W & existing.Y };
            sum = TElement.MultiplyAdd(sum, rows, weights);
            Values[n * 4] = sum.X;
            Values[n * 4 + 1] = sum.Y;
            Values[n * 4 + 2] = sum.Z;
            Values[n * 4 + 3] = sum.W;
        }
    }

    /// <summary>Writes O [8, <see cref="Line"/>] to shared memory.</summary>
    [MethodImpl(Inline)]
    public readonly void Store(uint address, ArrayView<U4> memory)
    {
        int lane = Group.IdxX & 31;
        uint at = address + (uint)(((lane & 3) * 2 * Line + (lane >> 2)) * 4);
        for (int n = 0; n < TShape.HeadDim / 16; n++)
        {
            Intrinsics.StoreShared(at, (uint)(n * 64), Values[n * 4], ref memory[0]);
            Intrinsics.StoreShared(at, (uint)(Line * 4 + n * 64), Values[n * 4 + 1], ref memory[0]);
            Intrinsics.StoreShared(at, (uint)(n * 64 + 32), Values[n * 4 + 2], ref memory[0]);
            Intrinsics.StoreShared(at, (uint)(Line * 4 + n * 64 + 32), Values[n * 4 + 3], ref memory[0]);
        }
    }
}

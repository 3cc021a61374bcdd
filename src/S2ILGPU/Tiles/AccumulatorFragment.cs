using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>Results of a warp in registers: its 16 x RowTiles rows with <typeparamref name="TColumns"/> columns of
/// floats.</summary>
/// <remarks>Value e of the 16x8 tile (m, n): row g + 8 (e / 2), column 2t + e % 2, of lane 4g + t.</remarks>
internal struct AccumulatorFragment<TShape, TColumns> where TShape : struct, ITileShape where TColumns : struct, INumber
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>Values [RowTiles, columns / 8, 4].</summary>
    public ArrayView<float> Values;

    /// <summary>A fragment without a value.</summary>
    [MethodImpl(Inline)]
    public static AccumulatorFragment<TShape, TColumns> Allocate()
    {
        AccumulatorFragment<TShape, TColumns> fragment = default;
        fragment.Values = LocalMemory.Allocate<float>(TShape.RowTiles * (TColumns.Value / 8) * 4);
        return fragment;
    }

    /// <summary>Index of the first value of tile (m, n).</summary>
    [MethodImpl(Inline)]
    public static int At(int m, int n) => (m * (TColumns.Value / 8) + n) * 4;

    /// <summary>Sets all values to 0.</summary>
    [MethodImpl(Inline)]
    public readonly void Zero()
    {
        for (int i = 0; i < TShape.RowTiles * (TColumns.Value / 8) * 4; i++)
            Values[i] = 0f;
    }

    /// <summary>Adds <c>R C^T</c>: R the rows of the calling warp, C the first rows of <paramref name="columns"/>, both
    /// D wide, both in shared memory.</summary>
    [MethodImpl(Inline)]
    public readonly void Dot<TElement>(in SharedTile<TShape> rows, in SharedTile<TShape> columns, in RowFragment<TShape,
        N16> scratch) where TElement : struct, IElement
    {
        for (int k = 0; k < TShape.HeadDim / 16; k++)
        {
            for (int m = 0; m < TShape.RowTiles; m++)
                scratch.SetTile(m, 0, rows.LoadRows(m * 16, k));
            for (int n = 0; n < TColumns.Value / 16; n++)
            {
                var b = columns.LoadColumns(n * 16, k);
                for (int m = 0; m < TShape.RowTiles; m++)
                    MultiplyAdd<TElement>(m, n, scratch.Tile(m, 0), b);
            }
        }
    }

    /// <summary>Adds <c>R C^T</c>: R in registers, C the first rows of <paramref name="columns"/>, both D
    /// wide.</summary>
    [MethodImpl(Inline)]
    public readonly void Dot<TElement>(in RowFragment<TShape, Width<TShape>> rows, in SharedTile<TShape> columns)
        where TElement : struct, IElement
    {
        for (int k = 0; k < TShape.HeadDim / 16; k++)
        {
            for (int n = 0; n < TColumns.Value / 16; n++)
            {
                var b = columns.LoadColumns(n * 16, k);
                for (int m = 0; m < TShape.RowTiles; m++)
                    MultiplyAdd<TElement>(m, n, rows.Tile(m, k), b);
            }
        }
    }

    /// <summary>Adds <c>P C</c>: P rounded to 16 bits while it is read, C the first rows of <paramref
    /// name="columns"/>.</summary>
    [MethodImpl(Inline)]
    public readonly void Multiply<TElement,
        TInner>(in AccumulatorFragment<TShape, TInner> left, in SharedTile<TShape> columns, in RowFragment<TShape,
        N16> scratch)
        where TElement : struct, IElement where TInner : struct, INumber
    {
        for (int k = 0; k < TInner.Value / 16; k++)
        {
            for (int m = 0; m < TShape.RowTiles; m++)
                scratch.SetTile(m, 0, left.Packed<TElement>(m, k));
            for (int n = 0; n < TColumns.Value / 16; n++)
            {
                var b = columns.LoadTransposed(k * 16, n);
                for (int m = 0; m < TShape.RowTiles; m++)
                    MultiplyAdd<TElement>(m, n, scratch.Tile(m, 0), b);
            }
        }
    }

    /// <summary>Multiplies row g + 8 half of row tile m by a factor.</summary>
    [MethodImpl(Inline)]
    public readonly void Scale(int m, int half, float factor)
    {
        for (int n = 0; n < TColumns.Value / 8; n++)
        {
            int at = At(m, n) + half * 2;
            Values[at] *= factor;
            Values[at + 1] *= factor;
        }
    }

    /// <summary>The 16x16 tile (m, k), rounded to 16 bits, as an A operand.</summary>
    [MethodImpl(Inline)]
    public readonly U4 Packed<TElement>(int m, int k) where TElement : struct, IElement
    {
        int at = At(m, k * 2);
        return new()
        {
            X = TElement.Pack(Values[at], Values[at + 1]),
            Y = TElement.Pack(Values[at + 2], Values[at + 3]),
            Z = TElement.Pack(Values[at + 4], Values[at + 5]),
            W = TElement.Pack(Values[at + 6], Values[at + 7]),
        };
    }

    /// <summary>Stores row g + 8 half of row tile m times <paramref name="factor"/>, rounded to 16 bits; <paramref
    /// name="word"/> is where columns 2t, 2t + 1 go.</summary>
    [MethodImpl(Inline)]
    public readonly void Store<TElement>(int m, int half, float factor, ArrayView<uint> target, long word)
        where TElement : struct, IElement
    {
        for (int n = 0; n < TColumns.Value / 8; n++)
        {
            int at = At(m, n) + half * 2;
            target[word + n * 4] = TElement.Pack(Values[at] * factor, Values[at + 1] * factor);
        }
    }

    /// <summary>Stores row g + 8 half of row tile m times <paramref name="factor"/> as floats; <paramref name="pair"/>
    /// is where columns 2t, 2t + 1 go.</summary>
    [MethodImpl(Inline)]
    public readonly void StoreFloats(int m, int half, float factor, ArrayView<F2> target, long pair)
    {
        for (int n = 0; n < TColumns.Value / 8; n++)
        {
            int at = At(m, n) + half * 2;
            target[pair + n * 4] = new F2 { X = Values[at] * factor, Y = Values[at + 1] * factor };
        }
    }

    /// <summary>0 if row g + 8 half of row tile m, as far as the lane holds it, is finite, otherwise NaN.</summary>
    [MethodImpl(Inline)]
    public readonly float ZeroIfFinite(int m, int half)
    {
        float zero = 0f;
        for (int n = 0; n < TColumns.Value / 8; n++)
        {
            int at = At(m, n) + half * 2;
            zero += Values[at] * 0f;
            zero += Values[at + 1] * 0f;
        }
        return zero;
    }

    /// <summary>Adds the product of an A operand with two B operands to the 16x16 tile (m, n).</summary>
    [MethodImpl(Inline)]
    public readonly void MultiplyAdd<TElement>(int m, int n, U4 a, U4 b) where TElement : struct, IElement
    {
        AddTo<TElement>(At(m, n * 2), a, new U2 { X = b.X, Y = b.Y });
        AddTo<TElement>(At(m, n * 2 + 1), a, new U2 { X = b.Z, Y = b.W });
    }

    [MethodImpl(Inline)]
    private readonly void AddTo<TElement>(int at, U4 a, U2 b) where TElement : struct, IElement
    {
        var d = TElement.MultiplyAdd(new F4 { X = Values[at], Y = Values[at + 1], Z = Values[at + 2],
            W = Values[at + 3] }, a, b);
        Values[at] = d.X;
        Values[at + 1] = d.Y;
        Values[at + 2] = d.Z;
        Values[at + 3] = d.W;
    }
}

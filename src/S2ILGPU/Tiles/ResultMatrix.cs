using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>C of a product in device memory, of floats or of 16-bit elements: element (r, c) is number <c>Offset + r
/// Stride + c</c>. What is added to the sums is added in registers, before they are rounded and stored.</summary>
internal struct ResultMatrix
{
    /// <summary>The memory underneath.</summary>
    public ArrayView<int> Memory;

    /// <summary>The first element and the distance between rows, in elements.</summary>
    public long Offset, Stride;

    /// <summary>Extents.</summary>
    public int Rows, Columns;

    /// <summary>Whether elements are floats (1) or of the operands' type (0).</summary>
    public int IsSingle;

    /// <summary>What is added to the elements, a matrix of the same type and extents: a residual, or C itself where
    /// results are added to what is there.</summary>
    public ArrayView<int> Addend;

    /// <summary>The first element of the addend and the distance between its rows, in elements.</summary>
    public long AddendOffset, AddendStride;

    /// <summary>What is added to every row, as many floats as there are columns.</summary>
    public ArrayView<float> Bias;

    /// <summary>Whether there are an addend and a bias (1) or not (0).</summary>
    public int HasAddend, HasBias;

    /// <summary>Whether offsets and strides, those of addend and bias too, are multiples of 4 elements (1), so that
    /// four are read and stored at once, or not (0).</summary>
    public int AreQuadsAligned;

    /// <summary>The bias of four neighbouring columns, for <see cref="Put"/>; <paramref name="column"/> is a multiple
    /// of 4. A thread that keeps to its columns reads it once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly F4 BiasOf(int column)
    {
        F4 bias = default;
        int count = HasBias != 0 ? Columns - column : 0;
        if ((AreQuadsAligned != 0) & (count >= 4))
            return Bias.Cast<F4>()[column / 4];
        if (count > 0)
            bias.X = Bias[column];
        if (count > 1)
            bias.Y = Bias[column + 1];
        if (count > 2)
            bias.Z = Bias[column + 2];
        if (count > 3)
            bias.W = Bias[column + 3];
        return bias;
    }

    /// <summary>Puts four neighbouring results of an existing row in place, with <paramref name="bias"/> added;
    /// <paramref name="column"/> is a multiple of 4, and columns beyond the matrix are left out.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Put<TElement>(int row, int column, F4 sums, F4 bias) where TElement : struct, IElement
    {
        var x = new F4 { X = sums.X + bias.X, Y = sums.Y + bias.Y, Z = sums.Z + bias.Z, W = sums.W + bias.W };
        long at = Offset + row * Stride + column, addend = AddendOffset + row * AddendStride + column;
        int count = Columns - column;
        if ((AreQuadsAligned != 0) & (count >= 4))
        {
            if (IsSingle != 0)
                PutFloats(at / 4, addend / 4, x);
            else
                PutPairs<TElement>(at / 4, addend / 4, x);
            return;
        }
        if (count > 0)
            PutElement<TElement>(at, addend, x.X);
        if (count > 1)
            PutElement<TElement>(at + 1, addend + 1, x.Y);
        if (count > 2)
            PutElement<TElement>(at + 2, addend + 2, x.Z);
        if (count > 3)
            PutElement<TElement>(at + 3, addend + 3, x.W);
    }

    private readonly void PutFloats(long quad, long addend, F4 x)
    {
        if (HasAddend != 0)
        {
            var y = Addend.Cast<F4>()[addend];
            x = new() { X = y.X + x.X, Y = y.Y + x.Y, Z = y.Z + x.Z, W = y.W + x.W };
        }
        Memory.Cast<F4>()[quad] = x;
    }

    private readonly void PutPairs<TElement>(long quad, long addend, F4 x) where TElement : struct, IElement
    {
        if (HasAddend != 0)
        {
            var y = Addend.Cast<U2>()[addend];
            x = new() { X = TElement.Low(y.X) + x.X, Y = TElement.High(y.X) + x.Y, Z = TElement.Low(y.Y) + x.Z,
                W = TElement.High(y.Y) + x.W };
        }
        Memory.Cast<U2>()[quad] = new() { X = TElement.Pack(x.X, x.Y), Y = TElement.Pack(x.Z, x.W) };
    }

    private readonly void PutElement<TElement>(long at, long addend, float x) where TElement : struct, IElement
    {
        if (IsSingle != 0)
        {
            if (HasAddend != 0)
                x = Addend.Cast<float>()[addend] + x;
            Memory.Cast<float>()[at] = x;
        }
        else
        {
            if (HasAddend != 0)
                x = TElement.Low(Addend.Cast<ushort>()[addend]) + x;
            Memory.Cast<ushort>()[at] = (ushort)(TElement.Pack(x, 0f) & 0xffffu);
        }
    }
}

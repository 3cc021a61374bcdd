using ILGPU;

namespace S2ILGPU.Kernels.Memory;

/// <summary>Strides of up to four dimensions, in elements.</summary>
internal struct ElementStrides
{
    public long Offset, Stride0, Stride1, Stride2, Stride3;
}

/// <summary>Arguments of <see cref="CopyKernel"/>: elements of [E0, E1, E2, E3], fewer than 2^30 of them.</summary>
internal struct CopyArguments
{
    /// <summary>The memory underneath, as 32-bit words; the source is not touched by fills.</summary>
    public ArrayView<int> Source, Destination;

    /// <summary>Where the elements lie.</summary>
    public ElementStrides From, To;

    /// <summary>E1, E2, E3, and the number of elements.</summary>
    public int Extent1, Extent2, Extent3, Count;

    /// <summary>What fills write.</summary>
    public float Value;
}

/// <summary>Copies between any strides and float types. Thread t of T copies the elements t, t + T, ... in row-major
/// order.</summary>
/// <remarks>Roofline: memory bandwidth, one read and one write of each element; strides other than 1 in the last
/// dimension take it in pieces. The share was not measured.</remarks>
internal static class CopyKernel
{
    /// <summary><c>destination[n] = source[n]</c></summary>
    public static void Copy<TFrom, TTo>(CopyArguments a)
        where TFrom : struct, IStoredElement
        where TTo : struct, IStoredElement
    {
        for (int n = Grid.IdxX * Group.DimX + Group.IdxX; n < a.Count; n += Grid.DimX * Group.DimX)
            TTo.Store(a.Destination, At(a, a.To, n), TFrom.Load(a.Source, At(a, a.From, n)));
    }

    /// <summary><c>destination[n] = value</c></summary>
    public static void Fill<TTo>(CopyArguments a)
        where TTo : struct, IStoredElement
    {
        for (int n = Grid.IdxX * Group.DimX + Group.IdxX; n < a.Count; n += Grid.DimX * Group.DimX)
            TTo.Store(a.Destination, At(a, a.To, n), a.Value);
    }

    /// <summary>Sets every element of an Int32 tensor to the bits of Value.</summary>
    public static void FillBits(CopyArguments a)
    {
        for (int n = Grid.IdxX * Group.DimX + Group.IdxX; n < a.Count; n += Grid.DimX * Group.DimX)
            a.Destination[At(a, a.To, n)] = (int)Interop.FloatAsInt(a.Value);
    }

    private static long At(in CopyArguments a, in ElementStrides strides, int n)
    {
        int rest = n / a.Extent3, plane = rest / a.Extent2;
        int i3 = n - rest * a.Extent3, i2 = rest - plane * a.Extent2, i0 = plane / a.Extent1,
            i1 = plane - i0 * a.Extent1;
        return strides.Offset + i0 * strides.Stride0 + i1 * strides.Stride1 + i2 * strides.Stride2 + i3
            * strides.Stride3;
    }
}

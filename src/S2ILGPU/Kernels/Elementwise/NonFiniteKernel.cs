using ILGPU;

namespace S2ILGPU.Kernels.Elementwise;

/// <summary>Arguments of <see cref="NonFiniteKernel"/>.</summary>
internal struct CountArguments
{
    /// <summary>The bits of float32 numbers. Read.</summary>
    public ArrayView<int> Values;

    /// <summary>One count for each thread of the grid. Written.</summary>
    public ArrayView<long> Counts;

    /// <summary>First number, and how many there are.</summary>
    public long First, Count;
}

/// <summary>Counts numbers that are NaN or infinite: one partial count per thread, summed by the host.</summary>
/// <remarks>Roofline: memory bandwidth, 4 bytes per number; the share was not measured.</remarks>
internal static class NonFiniteKernel
{
    public static void NonFinite(CountArguments a)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        long count = 0;
        for (long n = thread; n < a.Count; n += Grid.DimX * Group.DimX)
            if ((a.Values[a.First + n] & 0x7f800000) == 0x7f800000)
                count++;
        a.Counts[thread] = count;
    }
}

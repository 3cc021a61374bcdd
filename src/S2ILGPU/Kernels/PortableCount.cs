using ILGPU;

namespace S2ILGPU.Kernels;

/// <summary>Arguments of <see cref="PortableCount"/>.</summary>
internal struct CountArguments
{
    public ArrayView<int> Values;
    public ArrayView<long> Counts;
    public long First, Count;
}

/// <summary>Counts numbers that are NaN or infinite: one partial count per thread, summed by the host.</summary>
internal static class PortableCount
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

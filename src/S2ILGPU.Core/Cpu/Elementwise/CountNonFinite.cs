using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;

namespace S2ILGPU.Cpu.Elementwise;

/// <summary>Counts NaN and infinities: <c>x - x</c> is 0 for every other number.</summary>
internal readonly unsafe struct CountNonFiniteKernel(float* x, long* count) : IRangeKernel
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        // A chunk is far shorter than 2^24, up to which floats count exactly.
        var found = T.Zero;
        var foundInRest = SimdScalar.Zero;
        long index = start;
        for (; index + T.Count <= end; index += T.Count)
            found += IsNonFinite(T.Load(x + index));
        for (; index < end; index++)
            foundInRest += IsNonFinite(SimdScalar.Load(x + index));
        Interlocked.Add(ref *count, (long)(T.Sum(found) + SimdScalar.Sum(foundInRest)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T IsNonFinite<T>(T value) where T : unmanaged, ISimd<T> =>
        T.SelectGreaterOrEqual(value - value, T.Zero, T.Zero, T.Create(1f));
}

using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;

namespace S2ILGPU.Cpu.Elementwise;

/// <summary>A formula for one element, written for a register of them; all operands use the same index.</summary>
internal interface IElementwiseOperation
{
    /// <summary>Computes the elements index to index + T.Count exclusive.</summary>
    void Apply<T>(long index) where T : unmanaged, ISimd<T>;
}

/// <summary>The loop over an elementwise operation: full registers, then the rest one by one with the same
/// formula.</summary>
internal readonly struct ElementwiseKernel<TOperation>(TOperation operation) : IRangeKernel
    where TOperation : struct, IElementwiseOperation
{
    public const int Grain = 16 * 1024;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        var local = operation;
        long index = start;
        for (; index + T.Count <= end; index += T.Count)
            local.Apply<T>(index);
        for (; index < end; index++)
            local.Apply<SimdScalar>(index);
    }
}

using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;

namespace S2ILGPU.Cpu.Elementwise;

/// <summary><c>y = x</c>, rounded where y has fewer bits.</summary>
internal readonly unsafe struct ConvertOperation<TFrom, TTo>(TFrom* x, TTo* y) : IElementwiseOperation
    where TFrom : unmanaged, IStoredFloat<TFrom>
    where TTo : unmanaged, IStoredValue<TTo>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(long index) where T : unmanaged, ISimd<T> =>
        TTo.Store(TFrom.Load<T>(x + index), y + index);
}

/// <summary><see cref="ConvertOperation{TFrom, TTo}"/> over rows of any stride; the index is the row.</summary>
internal readonly unsafe struct ConvertRowsKernel<TFrom, TTo>(Rows from, Rows to) : IRangeKernel
    where TFrom : unmanaged, IStoredFloat<TFrom>
    where TTo : unmanaged, IStoredValue<TTo>
{
    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        for (long row = start; row < end; row++)
            new ElementwiseKernel<ConvertOperation<TFrom, TTo>>(new(from.At<TFrom>(row), to.At<TTo>(row)))
                .Execute<T>(0, from.Columns);
    }
}

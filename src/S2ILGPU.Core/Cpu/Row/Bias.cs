using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Elementwise;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;

namespace S2ILGPU.Cpu.Row;

/// <summary><c>y_ic += b_c</c>; the index is the row.</summary>
internal readonly unsafe struct AddBiasKernel<TStored>(float* bias, Rows y) : IRangeKernel
    where TStored : unmanaged, IStoredValue<TStored>
{
    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        for (long row = start; row < end; row++)
            new ElementwiseKernel<AddBias>(new AddBias(bias, y.At<TStored>(row))).Execute<T>(0, y.Columns);
    }

    private readonly struct AddBias(float* bias, TStored* y) : IElementwiseOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Apply<T>(long index) where T : unmanaged, ISimd<T> =>
            TStored.Store(TStored.Load<T>(y + index) + T.Load(bias + index), y + index);
    }
}

/// <summary><c>partial_c = sum_i x_ic</c> over the rows of each chunk; the index is the row.</summary>
internal readonly unsafe struct SumRowsKernel<TStored>(Rows x, float* partials, long grain) : IRangeKernel
    where TStored : unmanaged, IStoredValue<TStored>
{
    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        float* partial = partials + start / grain * x.Columns;
        new Span<float>(partial, x.Columns).Clear();
        for (long row = start; row < end; row++)
            new ElementwiseKernel<AddTo>(new AddTo(x.At<TStored>(row), partial)).Execute<T>(0, x.Columns);
    }

    private readonly struct AddTo(TStored* x, float* sum) : IElementwiseOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Apply<T>(long index) where T : unmanaged, ISimd<T> =>
            T.Store(T.Load(sum + index) + TStored.Load<T>(x + index), sum + index);
    }
}

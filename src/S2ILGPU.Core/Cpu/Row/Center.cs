using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Elementwise;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;

namespace S2ILGPU.Cpu.Row;

/// <summary><c>y_ic (+)= x_ic - mean_k x_ik</c>; the index is the row.</summary>
internal readonly unsafe struct CenterKernel<TStored>(Rows x, RowTarget y) : IRangeKernel
    where TStored : unmanaged, IStoredValue<TStored>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        for (long row = start; row < end; row++)
        {
            TStored* from = x.At<TStored>(row);
            float mean = (float)(RowSum.Of<T, Element>(new Element(from), x.Columns) / (double)x.Columns);
            new ElementwiseKernel<Subtract>(new Subtract(from, mean, y.At<TStored>(row), y.Accumulate))
                .Execute<T>(0, x.Columns);
        }
    }

    private readonly struct Element(TStored* x) : ITerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public T AddTo<T>(T sum, int index) where T : unmanaged, ISimd<T> => sum + TStored.Load<T>(x + index);
    }

    private readonly struct Subtract(TStored* x, float mean, TStored* y, bool accumulate) : IElementwiseOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Apply<T>(long index) where T : unmanaged, ISimd<T>
        {
            var centred = TStored.Load<T>(x + index) - T.Create(mean);
            TStored.Store(accumulate ? TStored.Load<T>(y + index) + centred : centred, y + index);
        }
    }
}

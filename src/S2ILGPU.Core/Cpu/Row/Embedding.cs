using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Elementwise;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;

namespace S2ILGPU.Cpu.Row;

/// <summary><c>y_t = table[ids_t]</c>; the index is t.</summary>
internal readonly unsafe struct EmbeddingKernel<TTable, TStored>(Rows table, int* ids, Rows y) : IRangeKernel
    where TTable : unmanaged, IStoredFloat<TTable>
    where TStored : unmanaged, IStoredValue<TStored>
{
    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        for (long t = start; t < end; t++)
            new ElementwiseKernel<ConvertOperation<TTable, TStored>>(new(table.At<TTable>(ids[t]), y.At<TStored>(t)))
                .Execute<T>(0, table.Columns);
    }
}

/// <summary><c>dtable[ids_t] += dy_t</c> in the order of t; the index is the column, so that workers share no
/// element.</summary>
internal readonly unsafe struct EmbeddingBackwardKernel<TStored>(int* ids, Rows dy, Rows dtable) : IRangeKernel
    where TStored : unmanaged, IStoredValue<TStored>
{
    public const int Grain = 64;

    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        for (long t = 0; t < dy.Count; t++)
            new ElementwiseKernel<AddTo>(new AddTo(dy.At<TStored>(t), dtable[ids[t]])).Execute<T>(start, end);
    }

    private readonly struct AddTo(TStored* dy, float* sum) : IElementwiseOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Apply<T>(long index) where T : unmanaged, ISimd<T> =>
            T.Store(T.Load(sum + index) + TStored.Load<T>(dy + index), sum + index);
    }
}

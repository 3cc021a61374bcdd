using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Elementwise;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;

namespace S2ILGPU.Cpu.Row;

/// <summary><c>y_t = table[ids_t]</c>; the index is t.</summary>
internal readonly unsafe struct EmbeddingKernel<TStored>(Rows table, int* ids, Rows y) : IRangeKernel
    where TStored : unmanaged, IStoredWeight<TStored>
{
    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        for (long t = start; t < end; t++)
            new ElementwiseKernel<Widen>(new Widen(table.At<TStored>(ids[t]), y[t])).Execute<T>(0, table.Columns);
    }

    private readonly struct Widen(TStored* source, float* target) : IElementwiseOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Apply<T>(long index) where T : unmanaged, ISimd<T> =>
            T.Store(TStored.Load<T>(source + index), target + index);
    }
}

/// <summary><c>dtable[ids_t] += dy_t</c> in the order of t; the index is the column, so that workers share no
/// element.</summary>
internal readonly unsafe struct EmbeddingBackwardKernel(int* ids, Rows dy, Rows dtable) : IRangeKernel
{
    public const int Grain = 64;

    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        for (long t = 0; t < dy.Count; t++)
            new ElementwiseKernel<AddOperation>(new(dtable[ids[t]], dy[t], dtable[ids[t]])).Execute<T>(start, end);
    }
}

using S2ILGPU.Cpu.Elementwise;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.RowOperations;

/// <summary><c>y_t = table[ids_t]</c>; the index is t.</summary>
internal readonly unsafe struct EmbeddingKernel(Rows table, int* ids, Rows y) : IRangeKernel
{
    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        for (long t = start; t < end; t++)
            new ReadOnlySpan<float>(table[ids[t]], table.Columns).CopyTo(new Span<float>(y[t], table.Columns));
    }
}

/// <summary><c>dtable[ids_t] += dy_t</c> in the order of t; the index is the column, so that workers share no element.</summary>
internal readonly unsafe struct EmbeddingBackwardKernel(int* ids, Rows dy, Rows dtable) : IRangeKernel
{
    public const int Grain = 64;

    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        for (long t = 0; t < dy.Count; t++)
            new ElementwiseKernel<AddOperation>(new(dtable[ids[t]], dy[t], dtable[ids[t]])).Execute<T>(start, end);
    }
}

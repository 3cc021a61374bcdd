using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Elementwise;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;

namespace S2ILGPU.Cpu.MatMul;

/// <summary><c>y_ic += b_c + x_ic</c>, the bias first; the index is the row. A bias that is null and an x without rows
/// are left out.</summary>
internal readonly unsafe struct AddToRowsKernel<TStored>(float* bias, Rows x, Rows y) : IRangeKernel
    where TStored : unmanaged, IStoredValue<TStored>
{
    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        for (long row = start; row < end; row++)
        {
            if (bias is not null)
                Add<StoredSingle, T>((StoredSingle*)bias, y[row]);
            if (x.Count > 0)
                Add<TStored, T>(x.At<TStored>(row), y[row]);
        }
    }

    private void Add<TTerm, T>(TTerm* term, float* sum) where TTerm : unmanaged, IStoredValue<TTerm>
        where T : unmanaged, ISimd<T> =>
        new ElementwiseKernel<AddTerm<TTerm>>(new AddTerm<TTerm>(term, sum)).Execute<T>(0, y.Columns);

    private readonly struct AddTerm<TTerm>(TTerm* term, float* sum) : IElementwiseOperation
        where TTerm : unmanaged, IStoredValue<TTerm>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Apply<T>(long index) where T : unmanaged, ISimd<T> =>
            T.Store(T.Load(sum + index) + TTerm.Load<T>(term + index), sum + index);
    }
}

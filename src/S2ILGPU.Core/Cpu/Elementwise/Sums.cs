using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.Elementwise;

/// <summary><c>y = value</c></summary>
internal readonly unsafe struct FillOperation(float* y, float value) : IElementwiseOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(long index) where T : unmanaged, ISimd<T> => T.Store(T.Create(value), y + index);
}

/// <summary><c>sum = a + b</c></summary>
internal readonly unsafe struct AddOperation<TStored>(TStored* a, TStored* b, TStored* sum) : IElementwiseOperation
    where TStored : unmanaged, IStoredValue<TStored>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(long index) where T : unmanaged, ISimd<T> =>
        TStored.Store(TStored.Load<T>(a + index) + TStored.Load<T>(b + index), sum + index);
}

/// <summary><c>accumulator += factor x</c></summary>
internal readonly unsafe struct AddScaledOperation<TStored>(TStored* x, float factor, TStored* accumulator)
    : IElementwiseOperation where TStored : unmanaged, IStoredValue<TStored>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(long index) where T : unmanaged, ISimd<T> =>
        TStored.Store(T.FusedMultiplyAdd(TStored.Load<T>(x + index), T.Create(factor),
            TStored.Load<T>(accumulator + index)), accumulator + index);
}

/// <summary><c>sum = sum_i terms_i</c> over rows of terms, in the order of i; the index is the column.</summary>
internal readonly unsafe struct SumOfRowsOperation(float* terms, int rows, int columns, float* sum, bool accumulate)
    : IElementwiseOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(long index) where T : unmanaged, ISimd<T>
    {
        var total = T.Zero;
        for (int row = 0; row < rows; row++)
            total += T.Load(terms + (long)row * columns + index);
        T.Store(accumulate ? T.Load(sum + index) + total : total, sum + index);
    }
}

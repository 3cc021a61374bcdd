using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;

namespace S2ILGPU.Cpu.Elementwise;

/// <summary><c>y = g sigmoid(g) u</c></summary>
internal readonly unsafe struct SwiGluOperation<TStored>(TStored* gate, TStored* up, TStored* y)
    : IElementwiseOperation where TStored : unmanaged, IStoredValue<TStored>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(long index) where T : unmanaged, ISimd<T>
    {
        var g = TStored.Load<T>(gate + index);
        TStored.Store(g * Sigmoid.Of(g, out _) * TStored.Load<T>(up + index), y + index);
    }
}

/// <summary><c>dg (+)= dy u s (1 + g (1 - s)), du (+)= dy g s, s = sigmoid(g)</c>; a null target is left out.</summary>
internal readonly unsafe struct SwiGluBackwardOperation<TStored>(TStored* gate, TStored* up, TStored* dy,
    TStored* dgate, TStored* dup, bool accumulateGate, bool accumulateUp)
    : IElementwiseOperation where TStored : unmanaged, IStoredValue<TStored>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(long index) where T : unmanaged, ISimd<T>
    {
        var g = TStored.Load<T>(gate + index);
        var u = TStored.Load<T>(up + index);
        var dout = TStored.Load<T>(dy + index);
        var s = Sigmoid.Of(g, out var complement);
        if (dgate != null)
        {
            var gradient = dout * u * s * T.FusedMultiplyAdd(g, complement, T.Create(1f));
            TStored.Store(accumulateGate ? TStored.Load<T>(dgate + index) + gradient : gradient, dgate + index);
        }
        if (dup != null)
        {
            var gradient = dout * g * s;
            TStored.Store(accumulateUp ? TStored.Load<T>(dup + index) + gradient : gradient, dup + index);
        }
    }
}

/// <summary><see cref="SwiGluOperation{TStored}"/> over rows of any stride; the index is the row.</summary>
internal readonly struct SwiGluKernel<TStored>(Rows gate, Rows up, Rows y) : IRangeKernel
    where TStored : unmanaged, IStoredValue<TStored>
{
    public unsafe void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        for (long row = start; row < end; row++)
            new ElementwiseKernel<SwiGluOperation<TStored>>(
                new(gate.At<TStored>(row), up.At<TStored>(row), y.At<TStored>(row))).Execute<T>(0, y.Columns);
    }
}

/// <summary><see cref="SwiGluBackwardOperation{TStored}"/> over rows of any stride; the index is the row.</summary>
internal readonly struct SwiGluBackwardKernel<TStored>(Rows gate, Rows up, Rows dy, RowTarget dgate, RowTarget dup)
    : IRangeKernel where TStored : unmanaged, IStoredValue<TStored>
{
    public unsafe void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        for (long row = start; row < end; row++)
        {
            var operation = new SwiGluBackwardOperation<TStored>(gate.At<TStored>(row), up.At<TStored>(row),
                dy.At<TStored>(row), dgate.At<TStored>(row), dup.At<TStored>(row), dgate.Accumulate, dup.Accumulate);
            new ElementwiseKernel<SwiGluBackwardOperation<TStored>>(operation).Execute<T>(0, dy.Columns);
        }
    }
}

using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;

namespace S2ILGPU.Cpu.Elementwise;

/// <summary><c>y = g sigmoid(g) u</c></summary>
internal readonly unsafe struct SwiGluOperation(float* gate, float* up, float* y) : IElementwiseOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(long index) where T : unmanaged, ISimd<T>
    {
        var g = T.Load(gate + index);
        T.Store(g * Sigmoid.Of(g, out _) * T.Load(up + index), y + index);
    }
}

/// <summary><c>dg (+)= dy u s (1 + g (1 - s)), du (+)= dy g s, s = sigmoid(g)</c>; a null target is left out.</summary>
internal readonly unsafe struct SwiGluBackwardOperation(float* gate, float* up, float* dy, float* dgate, float* dup,
    bool accumulateGate, bool accumulateUp)
    : IElementwiseOperation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(long index) where T : unmanaged, ISimd<T>
    {
        var g = T.Load(gate + index);
        var u = T.Load(up + index);
        var dout = T.Load(dy + index);
        var s = Sigmoid.Of(g, out var complement);
        if (dgate != null)
        {
            var gradient = dout * u * s * T.FusedMultiplyAdd(g, complement, T.Create(1f));
            T.Store(accumulateGate ? T.Load(dgate + index) + gradient : gradient, dgate + index);
        }
        if (dup != null)
        {
            var gradient = dout * g * s;
            T.Store(accumulateUp ? T.Load(dup + index) + gradient : gradient, dup + index);
        }
    }
}

/// <summary><see cref="SwiGluOperation"/> over rows of any stride; the index is the row.</summary>
internal readonly struct SwiGluKernel(Rows gate, Rows up, Rows y) : IRangeKernel
{
    public unsafe void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        for (long row = start; row < end; row++)
            new ElementwiseKernel<SwiGluOperation>(new(gate[row], up[row], y[row])).Execute<T>(0, y.Columns);
    }
}

/// <summary><see cref="SwiGluBackwardOperation"/> over rows of any stride; the index is the row.</summary>
internal readonly struct SwiGluBackwardKernel(Rows gate, Rows up, Rows dy, RowTarget dgate, RowTarget dup)
    : IRangeKernel
{
    public unsafe void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        for (long row = start; row < end; row++)
        {
            var operation = new SwiGluBackwardOperation(gate[row], up[row], dy[row], dgate[row], dup[row],
                dgate.Accumulate, dup.Accumulate);
            new ElementwiseKernel<SwiGluBackwardOperation>(operation).Execute<T>(0, dy.Columns);
        }
    }
}

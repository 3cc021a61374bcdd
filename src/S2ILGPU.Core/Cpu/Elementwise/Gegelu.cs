using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;

namespace S2ILGPU.Cpu.Elementwise;

/// <summary><c>g = min(gate, L), u = clamp(up, -L, L)</c>; an infinity is NaN.</summary>
internal static class ClampedGate
{
    /// <summary>The sharpness of the sigmoid that stands for the normal distribution.</summary>
    public const float Sharpness = 1.702f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Below<T>(T x, T limit) where T : unmanaged, ISimd<T> =>
        T.FusedMultiplyAdd(x, T.Zero, T.SelectGreaterOrEqual(x, limit, limit, x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Within<T>(T x, T limit) where T : unmanaged, ISimd<T>
    {
        T least = T.Zero - limit;
        return Below(T.SelectGreaterOrEqual(least, x, T.FusedMultiplyAdd(x, T.Zero, least), x), limit);
    }
}

/// <summary><c>y = g sigmoid(1.702 g) (u + 1)</c></summary>
internal readonly unsafe struct GegeluOperation<TStored>(TStored* gate, TStored* up, float limit, TStored* y)
    : IElementwiseOperation where TStored : unmanaged, IStoredValue<TStored>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(long index) where T : unmanaged, ISimd<T>
    {
        T most = T.Create(limit), g = ClampedGate.Below(TStored.Load<T>(gate + index), most),
            u = ClampedGate.Within(TStored.Load<T>(up + index), most);
        T weight = Sigmoid.Of(g * T.Create(ClampedGate.Sharpness), out _);
        TStored.Store(g * weight * (u + T.Create(1)), y + index);
    }
}

/// <summary><c>dgate (+)= [gate &lt;= L] dy (u + 1) s (1 + 1.702 g (1 - s)), dup (+)= [|up| &lt;= L] dy g s, s =
/// sigmoid(1.702 g)</c>; a null target is left out.</summary>
internal readonly unsafe struct GegeluBackwardOperation<TStored>(TStored* gate, TStored* up, float limit, TStored* dy,
    TStored* dgate, TStored* dup, bool accumulateGate, bool accumulateUp)
    : IElementwiseOperation where TStored : unmanaged, IStoredValue<TStored>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(long index) where T : unmanaged, ISimd<T>
    {
        T most = T.Create(limit), one = T.Create(1), sharpness = T.Create(ClampedGate.Sharpness);
        T givenGate = TStored.Load<T>(gate + index), givenUp = TStored.Load<T>(up + index);
        T g = ClampedGate.Below(givenGate, most), u = ClampedGate.Within(givenUp, most);
        T dout = TStored.Load<T>(dy + index), s = Sigmoid.Of(g * sharpness, out var complement);
        if (dgate != null)
        {
            T slope = s * T.FusedMultiplyAdd(g * sharpness, complement, one);
            T gradient = dout * (u + one) * slope * T.SelectGreaterOrEqual(most, givenGate, one, g * T.Zero);
            TStored.Store(accumulateGate ? TStored.Load<T>(dgate + index) + gradient : gradient, dgate + index);
        }
        if (dup != null)
        {
            T isFree = T.SelectGreaterOrEqual(most, T.Max(givenUp, T.Zero - givenUp), one, u * T.Zero);
            T gradient = dout * g * s * isFree;
            TStored.Store(accumulateUp ? TStored.Load<T>(dup + index) + gradient : gradient, dup + index);
        }
    }
}

/// <summary><see cref="GegeluOperation{TStored}"/> over rows of any stride; the index is the row.</summary>
internal readonly struct GegeluKernel<TStored>(Rows gate, Rows up, float limit, Rows y) : IRangeKernel
    where TStored : unmanaged, IStoredValue<TStored>
{
    public unsafe void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        for (long row = start; row < end; row++)
            new ElementwiseKernel<GegeluOperation<TStored>>(new(gate.At<TStored>(row), up.At<TStored>(row), limit,
                y.At<TStored>(row))).Execute<T>(0, y.Columns);
    }
}

/// <summary><see cref="GegeluBackwardOperation{TStored}"/> over rows of any stride; the index is the row.</summary>
internal readonly struct GegeluBackwardKernel<TStored>(Rows gate, Rows up, float limit, Rows dy, RowTarget dgate,
    RowTarget dup) : IRangeKernel where TStored : unmanaged, IStoredValue<TStored>
{
    public unsafe void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        for (long row = start; row < end; row++)
        {
            var operation = new GegeluBackwardOperation<TStored>(gate.At<TStored>(row), up.At<TStored>(row), limit,
                dy.At<TStored>(row), dgate.At<TStored>(row), dup.At<TStored>(row), dgate.Accumulate, dup.Accumulate);
            new ElementwiseKernel<GegeluBackwardOperation<TStored>>(operation).Execute<T>(0, dy.Columns);
        }
    }
}

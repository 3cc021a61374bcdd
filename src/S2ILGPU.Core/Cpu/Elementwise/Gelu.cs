using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.Elementwise;

/// <summary><c>2u = x (Linear + Cubic x^2)</c>: 2 sqrt(2/pi), and that times 0.044715.</summary>
internal static class GeluConstants
{
    public const float Linear = 1.5957691216f, Cubic = 0.0713548162726f;
}

/// <summary><c>y = x/2 (1 + tanh u) = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3)</c></summary>
internal readonly unsafe struct GeluOperation<TStored>(TStored* x, TStored* y) : IElementwiseOperation
    where TStored : unmanaged, IStoredValue<TStored>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(long index) where T : unmanaged, ISimd<T>
    {
        var v = TStored.Load<T>(x + index);
        var doubled = v * T.FusedMultiplyAdd(T.Create(GeluConstants.Cubic), v * v, T.Create(GeluConstants.Linear));
        TStored.Store(v * Sigmoid.Of(doubled, out _), y + index);
    }
}

/// <summary><c>dx (+)= dy (s + x s (1 - s) 2u'), s = sigmoid(2u), 2u' = 2 sqrt(2/pi) (1 + 3 * 0.044715
/// x^2)</c></summary>
internal readonly unsafe struct GeluBackwardOperation<TStored>(TStored* x, TStored* dy, TStored* dx, bool accumulate)
    : IElementwiseOperation where TStored : unmanaged, IStoredValue<TStored>
{
    // Beyond it the derivative is exactly 0 or 1, and the squares stay finite.
    private const float Clamp = 40f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(long index) where T : unmanaged, ISimd<T>
    {
        var v = T.Max(T.Create(-Clamp), T.Min(T.Create(Clamp), TStored.Load<T>(x + index)));
        var square = v * v;
        var doubled = v * T.FusedMultiplyAdd(T.Create(GeluConstants.Cubic), square, T.Create(GeluConstants.Linear));
        var slope = T.FusedMultiplyAdd(T.Create(3 * GeluConstants.Cubic), square, T.Create(GeluConstants.Linear));
        var s = Sigmoid.Of(doubled, out var complement);
        var gradient = TStored.Load<T>(dy + index) * T.FusedMultiplyAdd(v * s, complement * slope, s);
        TStored.Store(accumulate ? TStored.Load<T>(dx + index) + gradient : gradient, dx + index);
    }
}

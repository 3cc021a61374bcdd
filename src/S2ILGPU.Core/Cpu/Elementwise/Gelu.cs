using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.Elementwise;

/// <summary><c>y = x/2 (1 + tanh u) = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3)</c></summary>
internal readonly unsafe struct GeluOperation(float* x, float* y) : IElementwiseOperation
{
    // 2 sqrt(2/pi), and that times 0.044715.
    internal const float Linear = 1.5957691216f, Cubic = 0.0713548162726f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(long index) where T : unmanaged, ISimd<T>
    {
        var v = T.Load(x + index);
        var doubled = v * T.FusedMultiplyAdd(T.Create(Cubic), v * v, T.Create(Linear));
        T.Store(v * Sigmoid.Of(doubled, out _), y + index);
    }
}

/// <summary><c>dx (+)= dy (s + x s (1 - s) 2u'), s = sigmoid(2u), 2u' = 2 sqrt(2/pi) (1 + 3 * 0.044715
/// x^2)</c></summary>
internal readonly unsafe struct GeluBackwardOperation(float* x, float* dy, float* dx, bool accumulate)
    : IElementwiseOperation
{
    // Beyond it the derivative is exactly 0 or 1, and the squares stay finite.
    private const float Clamp = 40f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Apply<T>(long index) where T : unmanaged, ISimd<T>
    {
        var v = T.Max(T.Create(-Clamp), T.Min(T.Create(Clamp), T.Load(x + index)));
        var square = v * v;
        var doubled = v * T.FusedMultiplyAdd(T.Create(GeluOperation.Cubic), square, T.Create(GeluOperation.Linear));
        var slope = T.FusedMultiplyAdd(T.Create(3 * GeluOperation.Cubic), square, T.Create(GeluOperation.Linear));
        var s = Sigmoid.Of(doubled, out var complement);
        var gradient = T.Load(dy + index) * T.FusedMultiplyAdd(v * s, complement * slope, s);
        T.Store(accumulate ? T.Load(dx + index) + gradient : gradient, dx + index);
    }
}

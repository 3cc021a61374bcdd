using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.Elementwise;

/// <summary>The logistic function; tanh is one of it.</summary>
internal static class Sigmoid
{
    // e^-1000 is 0, and the argument of the exponential stays where the reduction is exact. The clamp comes first, so
    // that a NaN passes.
    private const float Clamp = 1000f;

    /// <summary><c>1 / (1 + e^-x)</c> and, as accurately, <c>1 - sigmoid(x)</c>, both through <c>e^-|x|</c>: nothing
    /// overflows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Of<T>(T x, out T complement) where T : unmanaged, ISimd<T>
    {
        var one = T.Create(1f);
        var small = SimdMath.Exp(T.Zero - T.Min(T.Create(Clamp), T.Max(T.Zero - x, x)));
        var large = one / (one + small);
        small *= large;
        complement = T.SelectGreaterOrEqual(x, T.Zero, small, large);
        return T.SelectGreaterOrEqual(x, T.Zero, large, small);
    }
}

using ILGPU.Algorithms;

namespace S2ILGPU.Kernels.Elementwise;

/// <summary>The logistic function; tanh is one of it.</summary>
internal readonly struct Sigmoid : IElementFunction
{
    /// <summary><c>1 / (1 + e^-x)</c> through <c>e^-|x|</c>: nothing overflows, and <c>Of(-x)</c> is 1 - Of(x) without
    /// its cancellation.</summary>
    public static float Of(float x)
    {
        float small = XMath.Exp(x < 0 ? x : -x);
        return (x < 0 ? small : 1f) / (1f + small);
    }
}

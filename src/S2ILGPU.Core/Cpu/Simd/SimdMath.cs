using System.Runtime.CompilerServices;

namespace S2ILGPU.Cpu.Simd;

/// <summary>Elementary functions over <see cref="ISimd{T}"/>.</summary>
internal static class SimdMath
{
    public const float Log2E = 1.44269504f, Ln2 = 0.69314718f;

    // 2^f on [0, 1], the polynomial of degree 5 with the smallest relative error (8e-8) of those that are 1 at 0.
    private const float E1 = 0.6931513f, E2 = 0.24016445f, E3 = 0.055799913f, E4 = 0.00901703f, E5 = 0.0018671301f;

    /// <summary><c>2^x</c>, within 2e-7: polynomial of the fraction, integer added to the exponent. Far below the range
    /// gives 0; no clamp is needed there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Exp2<T>(T x) where T : unmanaged, ISimd<T>
    {
        var f = T.Fraction(x);
        var p = T.FusedMultiplyAdd(T.Create(E5), f, T.Create(E4));
        p = T.FusedMultiplyAdd(p, f, T.Create(E3));
        p = T.FusedMultiplyAdd(p, f, T.Create(E2));
        p = T.FusedMultiplyAdd(p, f, T.Create(E1));
        p = T.FusedMultiplyAdd(p, f, T.Create(1f));
        return T.ScaleByPowerOfTwo(p, x);
    }

    /// <summary><c>e^x</c></summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Exp<T>(T x) where T : unmanaged, ISimd<T> => Exp2(x * T.Create(Log2E));
}

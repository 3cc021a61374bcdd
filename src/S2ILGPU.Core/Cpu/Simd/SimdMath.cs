using System.Runtime.CompilerServices;

namespace S2ILGPU.Cpu.Simd;

/// <summary>Elementary functions over <see cref="ISimd{T}"/>.</summary>
internal static class SimdMath
{
    public const float Log2E = 1.44269504f, Ln2 = 0.69314718f;

    // 2^f on [-1/2, 1/2], degree 6: relative error about 2e-7 after rounding.
    private const float E1 = 0.69314718f, E2 = 0.24022651f, E3 = 0.055504109f, E4 = 0.0096181291f, E5 = 0.0013333558f, E6 = 0.00015403530f;

    /// <summary><c>2^x</c>: split into integer and fraction, polynomial, exponent added. Far below the range gives 0; no clamp is needed there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Exp2<T>(T x) where T : unmanaged, ISimd<T>
    {
        var n = T.Round(x);
        var f = x - n;
        var p = T.FusedMultiplyAdd(T.Create(E6), f, T.Create(E5));
        p = T.FusedMultiplyAdd(p, f, T.Create(E4));
        p = T.FusedMultiplyAdd(p, f, T.Create(E3));
        p = T.FusedMultiplyAdd(p, f, T.Create(E2));
        p = T.FusedMultiplyAdd(p, f, T.Create(E1));
        p = T.FusedMultiplyAdd(p, f, T.Create(1f));
        return T.ScaleByPowerOfTwo(p, n);
    }

    /// <summary><c>e^x</c></summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Exp<T>(T x) where T : unmanaged, ISimd<T> => Exp2(x * T.Create(Log2E));
}

using System.Runtime.CompilerServices;

namespace S2ILGPU.Cpu.Simd;

/// <summary>Elementary functions over <see cref="ISimd{T}"/>.</summary>
internal static class SimdMath
{
    public const float Log2E = 1.44269504f, Ln2 = 0.69314718f;

    // 2^f on [-1/2, 1/2], the polynomial of degree 5 with the smallest relative error (9e-8) of those that are 1 at 0.
    private const float C1 = 0.69314698f, C2 = 0.24022242f, C3 = 0.055507337f, C4 = 0.0096715125f, C5 = 0.0013264746f;

    // The same on [0, 1].
    private const float E1 = 0.6931513f, E2 = 0.24016445f, E3 = 0.055799913f, E4 = 0.00901703f, E5 = 0.0018671301f;

    // Added to a float, it leaves the nearest integer in the last bits of the sum, here with the bias of the exponent.
    private const float Rounder = 1.5f * (1 << 23) + 127;

    /// <summary><c>2^x</c>, within 2e-7, for x below 128: polynomial of the fraction, integer put into the exponent.
    /// Far below the range gives 0, NaN gives NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Exp2<T>(T x) where T : unmanaged, ISimd<T>
    {
        if (T.HasFractionInstruction)
            return T.ScaleByPowerOfTwo(Polynomial(T.Fraction(x), E1, E2, E3, E4, E5), x);
        // -127 gives an exponent of 0, so a factor of 0; of NaN and a number, Max gives the second.
        x = T.Max(T.Create(-127), x);
        T sum = x + T.Create(Rounder);
        return Polynomial(x - (sum - T.Create(Rounder)), C1, C2, C3, C4, C5) * T.ShiftToExponent(sum);
    }

    /// <summary><c>2^x</c> of two registers, step by step side by side: the chain of dependent instructions is longer
    /// than a processor looks ahead, and there are not registers for more than two.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Exp2<T>(ref T a, ref T b) where T : unmanaged, ISimd<T>
    {
        if (T.HasFractionInstruction)
        {
            (a, b) = (Exp2(a), Exp2(b));
            return;
        }
        a = T.Max(T.Create(-127), a);
        b = T.Max(T.Create(-127), b);
        T sum0 = a + T.Create(Rounder), sum1 = b + T.Create(Rounder);
        a -= sum0 - T.Create(Rounder);
        b -= sum1 - T.Create(Rounder);
        T p0 = T.FusedMultiplyAdd(T.Create(C5), a, T.Create(C4)),
            p1 = T.FusedMultiplyAdd(T.Create(C5), b, T.Create(C4));
        p0 = T.FusedMultiplyAdd(p0, a, T.Create(C3));
        p1 = T.FusedMultiplyAdd(p1, b, T.Create(C3));
        p0 = T.FusedMultiplyAdd(p0, a, T.Create(C2));
        p1 = T.FusedMultiplyAdd(p1, b, T.Create(C2));
        p0 = T.FusedMultiplyAdd(p0, a, T.Create(C1));
        p1 = T.FusedMultiplyAdd(p1, b, T.Create(C1));
        p0 = T.FusedMultiplyAdd(p0, a, T.Create(1));
        p1 = T.FusedMultiplyAdd(p1, b, T.Create(1));
        a = p0 * T.ShiftToExponent(sum0);
        b = p1 * T.ShiftToExponent(sum1);
    }

    /// <summary><c>e^x</c></summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Exp<T>(T x) where T : unmanaged, ISimd<T> => Exp2(x * T.Create(Log2E));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Polynomial<T>(T f, float c1, float c2, float c3, float c4, float c5)
        where T : unmanaged, ISimd<T>
    {
        var p = T.FusedMultiplyAdd(T.Create(c5), f, T.Create(c4));
        p = T.FusedMultiplyAdd(p, f, T.Create(c3));
        p = T.FusedMultiplyAdd(p, f, T.Create(c2));
        p = T.FusedMultiplyAdd(p, f, T.Create(c1));
        return T.FusedMultiplyAdd(p, f, T.Create(1f));
    }
}

using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.Row;

/// <summary>A term of a sum over a row.</summary>
internal interface ITerm
{
    /// <summary>Adds the terms index to index + T.Count exclusive to the lanes.</summary>
    T AddTo<T>(T sum, int index) where T : unmanaged, ISimd<T>;
}

/// <summary>Sums over a row, always in the same order.</summary>
internal static class RowSum
{
    /// <summary>Four chains hide the latency of the additions; they are shorter sums, too, and so rounded
    /// less.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Of<T, TTerm>(TTerm term, int count) where T : unmanaged, ISimd<T> where TTerm : struct, ITerm
    {
        T a = T.Zero, b = T.Zero, c = T.Zero, d = T.Zero;
        var rest = SimdScalar.Zero;
        int index = 0;
        for (; index + 4 * T.Count <= count; index += 4 * T.Count)
        {
            a = term.AddTo(a, index);
            b = term.AddTo(b, index + T.Count);
            c = term.AddTo(c, index + 2 * T.Count);
            d = term.AddTo(d, index + 3 * T.Count);
        }
        for (; index + T.Count <= count; index += T.Count)
            a = term.AddTo(a, index);
        for (; index < count; index++)
            rest = term.AddTo(rest, index);
        return T.Sum(a + b + (c + d)) + SimdScalar.Sum(rest);
    }
}

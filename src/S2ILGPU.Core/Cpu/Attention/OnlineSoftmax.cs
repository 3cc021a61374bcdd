using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Simd;

namespace S2ILGPU.Cpu.Attention;

/// <summary>
/// The bookkeeping of softmax over scores that arrive bit by bit, one softmax per lane, in base 2: the largest score so
/// far m and <c>l = sum 2^(s - m)</c>. Whatever was weighed before a larger score came is rescaled by the factor that
/// <see cref="Raise"/> returns.
/// </summary>
internal struct OnlineSoftmax<T>(T max, T sum)
    where T : unmanaged, ISimd<T>
{
    /// <summary>Score of what is masked out. Finite, so that no difference of two scores is NaN; a maximum below <see
    /// cref="Seen"/> has met nothing but masked scores.</summary>
    public const float Masked = -1e38f;

    /// <summary>Scores of ordinary size are above.</summary>
    public const float Seen = -1e37f;

    /// <summary>m, the largest score so far.</summary>
    public T Max { get; private set; } = max;

    /// <summary>l, the sum of the weights so far.</summary>
    public T Sum { get; private set; } = sum;

    /// <summary>Nothing seen yet.</summary>
    public static OnlineSoftmax<T> Empty => new(T.Create(Masked), T.Zero);

    /// <summary><c>m' = max(m, score)</c>. Returns <c>2^(m - m')</c>, the factor of all that was weighed so
    /// far.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Raise(T score)
    {
        var raised = T.Max(Max, score);
        var factor = SimdMath.Exp2(Max - raised);
        Max = raised;
        Sum *= factor;
        return factor;
    }

    /// <summary>The weight of a score, <c>2^(s - m)</c>; m must have been raised to it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T Weigh(T score) => SimdMath.Exp2(score - Max);

    /// <summary>The weights of two registers of scores.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Weigh(ref T a, ref T b)
    {
        (a, b) = (a - Max, b - Max);
        SimdMath.Exp2(ref a, ref b);
    }

    /// <summary><c>l += weights</c></summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(T weights) => Sum += weights;
}

using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>Running maximum and sum of the softmax of a lane's rows: row g + 8 half of row tile m is at 2m +
/// half.</summary>
/// <remarks>
/// <para>Scores arrive unscaled; <c>c = scale log2(e)</c>, positive, turns them into exponents of 2. The maximum is the
/// same in the four lanes of a row, the sum is each lane's own until the end.</para>
/// <para>The maximum begins at a finite number below all scores, so that a row without visible scores needs no test:
/// its differences are 0 and its weights 2^-inf = 0. Milakov, Gimelshein, arXiv 1805.02867.</para>
/// </remarks>
internal struct OnlineSoftmax<TShape> where TShape : struct, ITileShape
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
    private const float Lowest = -1e30f, Ln2 = 0.6931471805599453f;

    /// <summary>m, the maximum of S c, and l, [2 RowTiles].</summary>
    public ArrayView<float> Maxima, Sums;

    /// <summary>The state of rows that have seen nothing.</summary>
    [MethodImpl(Inline)]
    public static OnlineSoftmax<TShape> Empty()
    {
        OnlineSoftmax<TShape> softmax = default;
        softmax.Maxima = LocalMemory.Allocate<float>(TShape.RowTiles * 2);
        softmax.Sums = LocalMemory.Allocate<float>(TShape.RowTiles * 2);
        for (int y = 0; y < TShape.RowTiles * 2; y++)
        {
            softmax.Maxima[y] = Lowest;
            softmax.Sums[y] = 0f;
        }
        return softmax;
    }

    /// <summary><c>m' = max(m, S c)</c>; what was accumulated shrinks by <c>2^(m - m')</c>.</summary>
    [MethodImpl(Inline)]
    public readonly void Raise<TColumns,
        TOutput>(in AccumulatorFragment<TShape, TColumns> scores, in AccumulatorFragment<TShape,
        TOutput> output, float c)
        where TColumns : struct, INumber where TOutput : struct, INumber
    {
        for (int m = 0; m < TShape.RowTiles; m++)
        {
            for (int half = 0; half < 2; half++)
            {
                int y = m * 2 + half, first = AccumulatorFragment<TShape, TColumns>.At(m, 0) + half * 2;
                float old = Maxima[y], max = IntrinsicMath.Max(scores.Values[first], scores.Values[first + 1]);
                for (int n = 1; n < TColumns.Value / 8; n++)
                {
                    int x = AccumulatorFragment<TShape, TColumns>.At(m, n) + half * 2;
                    max = IntrinsicMath.Max(max, IntrinsicMath.Max(scores.Values[x], scores.Values[x + 1]));
                }
                max = IntrinsicMath.Max(max, Warp.ShuffleXor(max, 1));
                max = IntrinsicMath.Max(old, IntrinsicMath.Max(max, Warp.ShuffleXor(max, 2)) * c);
                float shrink = Intrinsics.Exp2(old - max);
                Maxima[y] = max;
                Sums[y] *= shrink;
                output.Scale(m, half, shrink);
            }
        }
    }

    /// <summary><c>P = 2^(S c - m')</c> in place of S; <c>l += P</c>.</summary>
    [MethodImpl(Inline)]
    public readonly void Weigh<TColumns>(in AccumulatorFragment<TShape, TColumns> scores, float c)
        where TColumns : struct, INumber
    {
        for (int m = 0; m < TShape.RowTiles; m++)
        {
            for (int half = 0; half < 2; half++)
            {
                int y = m * 2 + half;
                float max = Maxima[y], sum = Sums[y];
                for (int n = 0; n < TColumns.Value / 8; n++)
                {
                    int x = AccumulatorFragment<TShape, TColumns>.At(m, n) + half * 2;
                    float left = Intrinsics.Exp2(scores.Values[x] * c - max),
                        right = Intrinsics.Exp2(scores.Values[x + 1] * c - max);
                    scores.Values[x] = left;
                    scores.Values[x + 1] = right;
                    sum += left + right;
                }
                Sums[y] = sum;
            }
        }
    }

    /// <summary>Sum over the whole row 2m + half, by the four lanes that hold it.</summary>
    [MethodImpl(Inline)]
    public readonly float Total(int y)
    {
        float sum = Sums[y];
        sum += Warp.ShuffleXor(sum, 1);
        return sum + Warp.ShuffleXor(sum, 2);
    }

    /// <summary>Natural logarithm of the sum of exponentials; -inf for a row that sees nothing, NaN for one that sees
    /// only scores of -inf, and where the sum is NaN.</summary>
    [MethodImpl(Inline)]
    public readonly float LogSumExp(int y, float total, bool isSeen) =>
        total > 0f ? (Maxima[y] + Intrinsics.Log2(total)) * Ln2 : isSeen ? float.NaN : float.NegativeInfinity;
}

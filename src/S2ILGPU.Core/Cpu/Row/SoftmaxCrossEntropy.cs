using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Elementwise;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;

namespace S2ILGPU.Cpu.Row;

/// <summary><c>lse_t = ln sum_v exp(logits_tv), losses_t = lse_t - logits[t, targets_t]</c>, 0 where the target is
/// ignored; the index is t.</summary>
internal readonly unsafe struct SoftmaxCrossEntropyKernel(Rows logits, int* targets, float* losses, float* logSumExp)
    : IRangeKernel
{
    public const int Ignored = -1;

    // A block's maximum is taken first and its exponentials are summed while it is still in the first-level cache: the
    // logits are read from memory once.
    private const int Block = 2048;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        for (long t = start; t < end; t++)
        {
            float* row = logits[t];
            float max = float.MinValue;
            double sum = 0;
            for (int first = 0; first < logits.Columns; first += Block)
            {
                int count = Math.Min(Block, logits.Columns - first);
                float raised = Math.Max(max, Max<T>(row + first, count));
                sum = sum * Math.Exp(max - raised) + RowSum.Of<T, Weight>(new Weight(row + first, raised), count);
                max = raised;
            }
            double normalizer = max + Math.Log(sum);
            logSumExp[t] = (float)normalizer;
            losses[t] = targets[t] == Ignored ? 0 : (float)(normalizer - row[targets[t]]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Max<T>(float* x, int count) where T : unmanaged, ISimd<T>
    {
        T a = T.Create(float.MinValue), b = a;
        float max = float.MinValue;
        int index = 0;
        for (; index + 2 * T.Count <= count; index += 2 * T.Count)
        {
            a = T.Max(a, T.Load(x + index));
            b = T.Max(b, T.Load(x + index + T.Count));
        }
        for (; index < count; index++)
            max = Math.Max(max, x[index]);
        return Math.Max(max, T.MaxElement(T.Max(a, b)));
    }

    private readonly struct Weight(float* x, float max) : ITerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public T AddTo<T>(T sum, int index) where T : unmanaged, ISimd<T> =>
            sum + Probability(T.Load(x + index) - T.Create(max));
    }

    /// <summary><c>e^x</c> for x up to about 0, -inf included; NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T Probability<T>(T x) where T : unmanaged, ISimd<T> => SimdMath.Exp(T.Max(T.Create(-1000f), x));
}

/// <summary><c>dlogits_tv (+)= dlosses_t (exp(logits_tv - lse_t) - [v = targets_t])</c>, 0 where ignored; the index is
/// t.</summary>
internal readonly unsafe struct SoftmaxCrossEntropyBackwardKernel(Rows logits, int* targets, float* logSumExp,
    float* dlosses, Rows dlogits, bool accumulate)
    : IRangeKernel
{
    public void Execute<T>(long start, long end) where T : unmanaged, ISimd<T>
    {
        for (long t = start; t < end; t++)
        {
            int correct = targets[t];
            float* target = dlogits[t];
            if (correct != SoftmaxCrossEntropyKernel.Ignored)
            {
                // Read before the loop writes, and not as p g - g: the gradient of a certain target is exactly 0.
                float before = accumulate ? target[correct] : 0,
                    probability = MathF.Exp(logits[t][correct] - logSumExp[t]);
                new ElementwiseKernel<Gradient>(new Gradient(logits[t], logSumExp[t], dlosses[t], target, accumulate))
                    .Execute<T>(0, logits.Columns);
                target[correct] = before + dlosses[t] * (probability - 1);
            }
            else if (!accumulate)
                new Span<float>(target, logits.Columns).Clear();
        }
    }

    private readonly struct Gradient(float* logits, float logSumExp, float factor, float* dlogits, bool accumulate)
        : IElementwiseOperation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Apply<T>(long index) where T : unmanaged, ISimd<T>
        {
            var gradient = T.Create(factor)
                * SoftmaxCrossEntropyKernel.Probability(T.Load(logits + index) - T.Create(logSumExp));
            T.Store(accumulate ? T.Load(dlogits + index) + gradient : gradient, dlogits + index);
        }
    }
}

using ILGPU;
using ILGPU.Algorithms;

namespace S2ILGPU.Kernels.Row;

/// <summary>logits [T, V], targets, losses and log-sum-exp [T].</summary>
internal struct SoftmaxCrossEntropyArguments
{
    public RowView Logits;
    public ArrayView<int> Targets;
    public ArrayView<float> Losses, LogSumExp;
    public int Columns;
}

/// <summary><c>lse_t = ln sum_v exp(logits_tv), losses_t = lse_t - logits[t, targets_t]</c>; 0 where the target is
/// ignored, NaN where there is no such column.</summary>
/// <remarks>
/// A group owns a row, a thread every n-th column of it, which it reads once: m is the maximum so far, l the sum of
/// <c>exp(logit - m)</c>. A new maximum is rare after the first few columns. Milakov and Gimelshein, Online normalizer
/// calculation for softmax, arXiv 1805.02867. Roofline: memory bandwidth, 4 bytes per logit; the share was not
/// measured.
/// </remarks>
internal static class SoftmaxCrossEntropyKernel
{
    public const int Ignored = -1;

    public static void Run(SoftmaxCrossEntropyArguments a)
    {
        var maxima = SharedMemory.Allocate<float>(GroupSum.MaxThreads);
        var sums = SharedMemory.Allocate<float>(GroupSum.MaxThreads);
        int row = Grid.IdxX;
        var (logits, start) = (a.Logits.Words, a.Logits.Start(row));
        float m = float.MinValue, l = 0;
        for (int column = Group.IdxX; column < a.Columns; column += 2 * Group.DimX)
        {
            // Two loads in flight.
            float first = StoredSingle.Load(logits, start + column);
            float second = column + Group.DimX < a.Columns ? StoredSingle.Load(logits, start + column + Group.DimX)
                : float.NegativeInfinity;
            float raised = first > second ? first : second;
            if (raised > m)
            {
                l *= XMath.Exp(m - raised);
                m = raised;
            }
            l += XMath.Exp(first - m) + XMath.Exp(second - m);
        }
        maxima[Group.IdxX] = m;
        Group.Barrier();
        GroupSum.FoldMaximum(maxima);
        Group.Barrier();
        float maximum = GroupSum.Maximum(maxima);
        sums[Group.IdxX] = l * XMath.Exp(m - maximum);
        Group.Barrier();
        GroupSum.Fold(sums);
        Group.Barrier();
        if (Group.IdxX != 0)
            return;
        int target = a.Targets[row];
        float logOfSum = XMath.Log(GroupSum.Total(sums));
        a.LogSumExp[row] = maximum + logOfSum;
        a.Losses[row] = target == Ignored ? 0 : target < 0 || target >= a.Columns ? float.NaN
            : maximum - StoredSingle.Load(logits, start + target) + logOfSum;
    }
}

/// <summary><c>dlogits_tv (+)= dlosses_t (exp(logits_tv - lse_t) - [v = targets_t])</c>, 0 where ignored. Rows are
/// t.</summary>
/// <remarks>A thread reads its logits before it writes there, so dlogits may be logits.</remarks>
internal struct SoftmaxCrossEntropyBackwardOperation : IRowOperation
{
    public RowView Logits;
    public ArrayView<int> Targets;
    public ArrayView<float> LogSumExp, LossGradients;
    public RowTarget Gradient;

    public int Rows { readonly get; set; }

    public readonly long Columns => Logits.Columns;

    public readonly void Apply<TStored>(int row, long column) where TStored : struct, IStoredElement
    {
        int target = Targets[row];
        var gradient = new Quad();
        if (target != SoftmaxCrossEntropyKernel.Ignored)
        {
            // Not as p g - g: the gradient of a certain target is exactly 0.
            var p = (Logits.Load<TStored>(row, column) + -LogSumExp[row]).Map<Exponential>();
            // Floats: ILGPU takes the bits 1 and 0 of "? 1 : 0" for the float.
            long place = target - column;
            p.X -= place == 0 ? 1f : 0f;
            p.Y -= place == 1 ? 1f : 0f;
            p.Z -= place == 2 ? 1f : 0f;
            p.W -= place == 3 ? 1f : 0f;
            gradient = p * LossGradients[row];
        }
        Gradient.Put<TStored>(row, column, gradient);
    }
}

/// <summary><c>e^x</c></summary>
internal readonly struct Exponential : IElementFunction
{
    public static float Of(float x) => XMath.Exp(x);
}

using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

public sealed partial class ReferenceEngine
{
    public void SumOfSquares(IReadOnlyList<IReadOnlyList<Tensor>> lists, Tensor results)
    {
        Contract.Require(results.Count == lists.Count, nameof(SumOfSquares),
            $"results must have {lists.Count} elements, got {results}");
        var sums = new double[lists.Count];
        for (int n = 0; n < sums.Length; n++)
            foreach (var x in lists[n])
            {
                Contract.Contiguous(nameof(SumOfSquares), x);
                foreach (double value in Values(x))
                    sums[n] += value * value;
            }
        SetValues(results, sums);
    }

    public void AdamW(in AdamWArguments arguments)
    {
        Contract.Require(arguments.Step >= 1, nameof(AdamW), $"steps count from 1, got {arguments.Step}");
        foreach (var parameter in arguments.Parameters)
            Update(arguments, parameter);
    }

    private static void Update(in AdamWArguments a, in AdamWParameter p)
    {
        p.ThrowUnlessOneShape();
        Contract.Contiguous(nameof(AdamW), p.Shadow ?? p.Value);
        Contract.Contiguous(nameof(AdamW), p.Value, p.Gradient, p.FirstMoment, p.SecondMoment);
        var (parameter, gradient) = (Elements.Flat(p.Value), Elements.Flat(p.Gradient));
        var (first, second) = (Elements.Flat(p.FirstMoment), Elements.Flat(p.SecondMoment));
        double beta1 = a.Beta1, beta2 = a.Beta2;
        for (int n = 0; n < p.Value.Count; n++)
        {
            double g = gradient[n] * a.GradientScale;
            first[n] = beta1 * first[n] + (1 - beta1) * g;
            second[n] = beta2 * second[n] + (1 - beta2) * g * g;
            double unbiasedFirst = first[n] / (1 - Math.Pow(beta1, a.Step)),
                unbiasedSecond = second[n] / (1 - Math.Pow(beta2, a.Step));
            parameter[n] -= a.LearningRate
                * (unbiasedFirst / (Math.Sqrt(unbiasedSecond) + a.Epsilon) + p.WeightDecay * parameter[n]);
        }
        if (p.Shadow is not null)
            SetValues(p.Shadow, Values(p.Value));
    }
}

using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

public sealed partial class ReferenceEngine
{
    public void SumOfSquares(Tensor x, Tensor result, bool accumulate)
    {
        Contract.Require(result.Count == 1, nameof(SumOfSquares), $"result must have one element, got {result}");
        Contract.Contiguous(nameof(SumOfSquares), x);
        double sum = accumulate ? Values(result)[0] : 0;
        foreach (double value in Values(x))
            sum += value * value;
        SetValues(result, [sum]);
    }

    public void AdamW(in AdamWArguments arguments)
    {
        var a = arguments;
        foreach (var tensor in (Tensor[])[a.Gradient, a.FirstMoment, a.SecondMoment])
            Contract.SameShape(nameof(AdamW), a.Parameter, tensor);
        if (a.Shadow is not null)
            Contract.SameShape(nameof(AdamW), a.Parameter, a.Shadow);
        Contract.Contiguous(nameof(AdamW), a.Shadow ?? a.Parameter);
        Contract.Contiguous(nameof(AdamW), a.Parameter, a.Gradient, a.FirstMoment, a.SecondMoment);
        Contract.Require(a.Step >= 1, nameof(AdamW), $"steps count from 1, got {a.Step}");
        var (parameter, gradient) = (Elements.Flat(a.Parameter), Elements.Flat(a.Gradient));
        var (first, second) = (Elements.Flat(a.FirstMoment), Elements.Flat(a.SecondMoment));
        double beta1 = a.Beta1, beta2 = a.Beta2;
        for (int n = 0; n < a.Parameter.Count; n++)
        {
            double g = gradient[n] * a.GradientScale;
            first[n] = beta1 * first[n] + (1 - beta1) * g;
            second[n] = beta2 * second[n] + (1 - beta2) * g * g;
            double unbiasedFirst = first[n] / (1 - Math.Pow(beta1, a.Step)),
                unbiasedSecond = second[n] / (1 - Math.Pow(beta2, a.Step));
            parameter[n] -= a.LearningRate
                * (unbiasedFirst / (Math.Sqrt(unbiasedSecond) + a.Epsilon) + a.WeightDecay * parameter[n]);
        }
        if (a.Shadow is not null)
            SetValues(a.Shadow, Values(a.Parameter));
    }
}

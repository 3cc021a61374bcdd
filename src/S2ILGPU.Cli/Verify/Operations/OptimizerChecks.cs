using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Verify.Operations;

/// <summary>The optimizer family, in the engine's float type.</summary>
internal static class OptimizerChecks
{
    public static IEnumerable<OperationCheck> Of(ElementType type)
    {
        yield return new(nameof(IEngine.SumOfSquares), type, "", (p, size) =>
            SumOfSquares(p, new Shape(size.Rows, size.Columns), type));
        foreach (bool hasShadow in (bool[])[false, true])
            yield return new(nameof(IEngine.AdamW), type, hasShadow ? "with a shadow" : "", (p, size) =>
                AdamW(p, new Shape(size.Rows, size.Columns), type, hasShadow));
    }

    private static Action SumOfSquares(OperationProblem p, Shape shape, ElementType type)
    {
        Operand x = p.Normal(shape, type), y = p.Normal(new Shape(shape[1]), type);
        double ofY = y.Values.Sum(v => v * v);
        var sums = p.Result("sums", new Shape(2), type, [x.Values.Sum(v => v * v) + ofY, ofY]);
        return () => p.Engine.SumOfSquares([[x.Tensor, y.Tensor], [y.Tensor]], sums);
    }

    private static Action AdamW(OperationProblem p, Shape shape, ElementType type, bool hasShadow)
    {
        const float Rate = 0.01f, Beta1 = 0.9f, Beta2 = 0.95f, Epsilon = 1e-8f, Decay = 0.1f, Scale = 0.5f;
        const int Step = 3;
        var g = p.Normal(shape, type);
        Operand before = p.Normal(shape, type), m = p.Normal(shape, type, 0.1), root = p.Normal(shape, type);
        double[] v = [.. root.Values.Select(r => (double)(float)(r * r))];
        var (parameter, first, second) = (new double[v.Length], new double[v.Length], new double[v.Length]);
        for (int n = 0; n < v.Length; n++)
        {
            double gradient = g.Values[n] * Scale;
            first[n] = Beta1 * m.Values[n] + (1 - Beta1) * gradient;
            second[n] = Beta2 * v[n] + (1 - Beta2) * gradient * gradient;
            parameter[n] = before.Values[n] - Rate * (first[n] / (1 - Math.Pow(Beta1, Step))
                / (Math.Sqrt(second[n] / (1 - Math.Pow(Beta2, Step))) + Epsilon) + Decay * before.Values[n]);
        }
        Tensor newParameter = p.Result("parameter", shape, type, parameter, before.Values),
            newFirst = p.Result("first moment", shape, type, first, m.Values),
            newSecond = p.Result("second moment", shape, type, second, v);
        var shadow = hasShadow ? p.Result("shadow", shape, ElementType.BFloat16, parameter) : null;
        return () => p.Engine.AdamW(new AdamWArguments([new(newParameter, g.Tensor, newFirst, newSecond, Decay,
            shadow)], Rate, Beta1, Beta2, Epsilon, Step, Scale));
    }
}

using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Verify.Operations;

/// <summary>The gradient of merged partitions; merging itself is among the variants of attention.</summary>
internal static class MergeChecks
{
    public static IEnumerable<OperationCheck> Of(ElementType type)
    {
        foreach (bool hasGradient in (bool[])[false, true])
            yield return new(nameof(IEngine.MergePartitionBackward), type,
                hasGradient ? "with dLSE" : "", (p, size) => Backward(p, size, type, hasGradient));
    }

    // w = exp(LSE_i - LSE), dO_i = w dO, dLSE_i = w (rowsum(dO (O_i - O)) + dLSE); a third of the parts kept nothing
    private static Action Backward(OperationProblem p, Extents size, ElementType type, bool hasGradient)
    {
        const int Heads = 2, HeadDim = 8;
        var statistics = type is ElementType.Float16 or ElementType.BFloat16 ? ElementType.Float32 : type;
        Shape shape = new(1, size.Rows, Heads, HeadDim), rows = new(1, Heads, size.Rows);
        Operand part = p.Normal(shape, type), output = p.Normal(shape, type), gradient = p.Normal(shape, type),
            whole = p.Normal(rows, statistics), dlse = p.Normal(rows, statistics);
        var ofPart = HostTensor.Rounded(rows, statistics, [.. whole.Values.Select((lse, n) =>
            n % 3 == 2 ? double.NegativeInfinity : lse - p.Random.NextDouble())]);
        var partStatistic = p.Given(ofPart);
        var (exact, exactStatistic) = (new double[shape.Count], new double[rows.Count]);
        for (int n = 0; n < exactStatistic.Length; n++)
        {
            int head = n / size.Rows, first = (n % size.Rows * Heads + head) * HeadDim;
            double w = Math.Exp(ofPart.Values[n] - whole.Values[n]), sum = hasGradient ? dlse.Values[n] : 0;
            for (int d = first; d < first + HeadDim; d++)
            {
                exact[d] = w * gradient.Values[d];
                sum += gradient.Values[d] * (part.Values[d] - output.Values[d]);
            }
            exactStatistic[n] = w * sum;
        }
        Tensor dpart = p.Result("dO of a part", shape, type, exact),
            dstatistic = p.Result("dLSE of a part", rows, statistics, exactStatistic);
        return () => p.Engine.MergePartitionBackward(new MergeBackwardArguments(part.Tensor, partStatistic.Tensor,
            output.Tensor, whole.Tensor, gradient.Tensor, hasGradient ? dlse.Tensor : null, dpart, dstatistic));
    }
}

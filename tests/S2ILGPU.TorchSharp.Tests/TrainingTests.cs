using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace S2ILGPU.TorchSharp.Tests;

/// <summary>A model of two layers trains as its twin does, whose attention is dense, masked and in double
/// precision.</summary>
public sealed class TrainingTests
{
    private const int Layers = 2, Tokens = 77, Heads = 4, KeyValueHeads = 2, HeadDim = 8, Dim = Heads * HeadDim;
    private const int Steps = 20;
    private const double LearningRate = 0.5;

    private static readonly LocalStridePattern s_pattern = new(Heads, KeyValueHeads, blockTokens: 16, localBlocks: 1,
        verticalStride: 2);

    [TorchFact]
    public void Losses_and_parameters_follow_those_of_the_twin()
    {
        var random = Seeds.NewRandom();
        using var scope = NewDisposeScope();
        using var attention = new LocalStrideSparseAttention(Heads, Tokens, 16, 1, 2, numKvHeads: KeyValueHeads);
        Tensor[] ours = Parameters(random), twins = [.. ours.Select(TorchCase.Double)];
        Tensor input = TorchCase.Normal(random, ScalarType.Float32, 2, Tokens, Dim).detach(),
            target = TorchCase.Normal(random, ScalarType.Float32, 2, Tokens, Dim).detach();
        var losses = Train(ours, input, target, attention.forward);
        var expected = Train(twins, input.to(ScalarType.Float64), target.to(ScalarType.Float64), (q, k, v) =>
            TorchCase.Dense(q, k, v, s_pattern).Output);
        Assert.True(losses[^1] < 0.9 * losses[0], $"{losses[0]} to {losses[^1]}; {Seeds.Text}");
        MaximumError.AssertWithin(new Tolerance(1e-4), "losses", new Shape(Steps), expected, losses);
        for (int p = 0; p < ours.Length; p++)
            TorchCase.AssertClose(new Tolerance(1e-4), $"parameter {p}", twins[p], ours[p]);
    }

    // The matrices of queries, keys with values, and outputs, for each layer.
    private static Tensor[] Parameters(Random random) => [.. Enumerable.Range(0, Layers).SelectMany(_ =>
        new[] { Heads * HeadDim, 2 * KeyValueHeads * HeadDim, Dim }).Select(columns =>
        (TorchCase.Normal(random, ScalarType.Float32, Dim, columns).detach() / Math.Sqrt(Dim)).requires_grad_())];

    private static double[] Train(Tensor[] parameters, Tensor input, Tensor target,
        Func<Tensor, Tensor, Tensor, Tensor> attention)
    {
        var losses = new double[Steps];
        for (int step = 0; step < Steps; step++)
        {
            using var scope = NewDisposeScope();
            var x = input;
            for (int layer = 0; layer < Layers; layer++)
            {
                var q = x.matmul(parameters[3 * layer]).view(2, Tokens, Heads, HeadDim);
                var kv = x.matmul(parameters[3 * layer + 1]).view(2, Tokens, 2 * KeyValueHeads, HeadDim);
                var o = attention(q, kv[.., .., ..KeyValueHeads], kv[.., .., KeyValueHeads..]);
                x = x + o.reshape(2, Tokens, Dim).matmul(parameters[3 * layer + 2]);
            }
            var loss = (x - target).pow(2).mean();
            losses[step] = loss.to(ScalarType.Float64).item<double>();
            loss.backward();
            using (no_grad())
                foreach (var parameter in parameters)
                {
                    parameter.add_(parameter.grad!, -LearningRate);
                    parameter.grad = null;
                }
        }
        return losses;
    }
}

using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace S2ILGPU.TorchSharp.Tests;

/// <summary>Outputs and gradients against dense masked attention in double precision.</summary>
public sealed class AttentionTests
{
    [TorchFact]
    public void Random_shapes_agree_with_dense_masked_attention()
    {
        var random = Seeds.NewRandom();
        for (int n = 0; n < (TestScale.IsFull ? 60 : 8); n++)
            Check(random, n % 4 == 3 ? ScalarType.BFloat16 : ScalarType.Float32);
    }

    [TorchFact]
    public void Gradients_agree_with_finite_differences()
    {
        var random = Seeds.NewRandom();
        using var scope = NewDisposeScope();
        var layout = BlockLayout.Create(new LocalStridePattern(2, 1, blockTokens: 16, localBlocks: 1,
            verticalStride: 2), 37);
        Tensor[] inputs = [TorchCase.Normal(random, ScalarType.Float32, 1, 37, 2, 8),
            TorchCase.Normal(random, ScalarType.Float32, 1, 37, 1, 8),
            TorchCase.Normal(random, ScalarType.Float32, 1, 37, 1, 8)];
        Tensor outputWeights = TorchCase.Normal(random, ScalarType.Float32, 1, 37, 2, 8).detach(),
            statisticsWeights = TorchCase.Normal(random, ScalarType.Float32, 1, 2, 37).detach();
        Loss().backward();
        foreach (var (input, name) in inputs.Zip(["query", "key", "value"]))
        {
            // Along a direction of one input: sum_i dx_i u_i, where a step of 1/32 leaves errors of about 1e-3.
            var direction = TorchCase.Normal(random, ScalarType.Float32, input.shape).detach();
            direction = direction / direction.norm();
            double expected = (input.grad! * direction).sum().ToDouble(), step = 1.0 / 32;
            using (no_grad())
            {
                input.add_(direction, step);
                double up = Loss().ToDouble();
                input.add_(direction, -2 * step);
                double down = Loss().ToDouble();
                input.add_(direction, step);
                MaximumError.AssertWithin(new Tolerance(1e-2, IsRelative: true), $"gradient of {name}", new Shape(1),
                    [expected], [(up - down) / (2 * step)]);
            }
        }

        Tensor Loss()
        {
            var (output, logSumExp) = TorchAttention.Forward(inputs[0], inputs[1], inputs[2], layout);
            return (output * outputWeights).sum() + (logSumExp * statisticsWeights).sum();
        }
    }

    // [B, H, N, D] seen as [B, N, H, D], every second token of a longer tensor, and heads whose elements are apart.
    [TorchFact]
    public void Strided_tensors_give_the_bits_of_dense_ones()
    {
        var random = Seeds.NewRandom();
        using var scope = NewDisposeScope();
        var layout = BlockLayout.Create(new LocalStridePattern(2, 2, blockTokens: 16, localBlocks: 1), 50);
        Tensor query = TorchCase.Normal(random, ScalarType.Float32, 2, 2, 50, 16),
            key = TorchCase.Normal(random, ScalarType.Float32, 2, 100, 2, 16),
            value = TorchCase.Normal(random, ScalarType.Float32, 2, 50, 16, 2);
        Tensor[] views = [query.transpose(1, 2), key[.., TensorIndex.Slice(null, null, 2)], value.transpose(2, 3)];
        Tensor[] copies = [.. views.Select(view => view.detach().contiguous().requires_grad_())];
        var strided = TorchAttention.Forward(views[0], views[1], views[2], layout);
        var dense = TorchAttention.Forward(copies[0], copies[1], copies[2], layout);
        // A gradient that is a view too.
        strided.Output.transpose(1, 3).pow(2).sum().backward();
        dense.Output.pow(2).sum().backward();
        TorchCase.AssertClose(Tolerance.Exact, "output", dense.Output, strided.Output);
        TorchCase.AssertClose(Tolerance.Exact, "log-sum-exp", dense.LogSumExp, strided.LogSumExp);
        TorchCase.AssertClose(Tolerance.Exact, "dQ", copies[0].grad!.transpose(1, 2), query.grad);
        TorchCase.AssertClose(Tolerance.Exact, "dK", copies[1].grad,
            key.grad![.., TensorIndex.Slice(null, null, 2)]);
        TorchCase.AssertClose(Tolerance.Exact, "dV", copies[2].grad!.transpose(2, 3), value.grad);
    }

    [TorchFact]
    public void Only_wanted_gradients_are_there()
    {
        var random = Seeds.NewRandom();
        using var scope = NewDisposeScope();
        var layout = BlockLayout.Create(new DensePattern(1, 1, 16), 20);
        Tensor query = TorchCase.Normal(random, ScalarType.Float32, 1, 20, 1, 8).detach(),
            key = TorchCase.Normal(random, ScalarType.Float32, 1, 20, 1, 8), value = query.clone();
        var (output, logSumExp) = TorchAttention.Forward(query, key, value, layout);
        logSumExp.sum().backward();
        Assert.Null(query.grad);
        Assert.Null(value.grad);
        Assert.NotNull(key.grad);
        using (no_grad())
            Assert.False(TorchAttention.Forward(query, key, value, layout).Output.requires_grad);
        Assert.True(output.requires_grad);
    }

    [TorchFact]
    public void Tensors_without_elements_have_results()
    {
        using var scope = NewDisposeScope();
        var layout = BlockLayout.Create(new DensePattern(2, 1, 16), 20);
        Tensor query = zeros([0, 5, 2, 8], requires_grad: true), key = zeros([0, 5, 1, 8], requires_grad: true);
        var (output, logSumExp) = TorchAttention.Forward(query, key, key, layout);
        (output.sum() + logSumExp.sum()).backward();
        Assert.Equal([0, 5, 2, 8], output.shape);
        Assert.Equal([0, 2, 5], logSumExp.shape);
        Assert.Equal([0, 5, 1, 8], key.grad!.shape);
    }

    private static void Check(Random random, ScalarType type)
    {
        using var scope = NewDisposeScope();
        int keyValueHeads = random.Next(1, 4), heads = keyValueHeads * random.Next(1, 4);
        int headDim = 8 * random.Next(1, 9), batch = random.Next(1, 3);
        int keys = random.Next(1, 150), queries = random.Next(1, keys + 1);
        AttentionPattern pattern = new LocalStridePattern(heads, keyValueHeads, blockTokens: 16,
            localBlocks: random.Next(1, 4), verticalStride: random.Next(1, 6), new StripeOptions
            {
                HeadOffset = random.Next(0, 4),
                HomogeneousHeads = random.Next(4) == 0,
                DenseHeads = random.Next(4) == 0 ? 1 : 0,
                SlideByQueryHead = random.Next(2) == 0,
            });
        string what = $"{pattern}, B {batch}, {queries} of {keys}, D {headDim}, {type}";
        Tensor query = TorchCase.Normal(random, type, batch, queries, heads, headDim),
            key = TorchCase.Normal(random, type, batch, keys, keyValueHeads, headDim),
            value = TorchCase.Normal(random, type, batch, keys, keyValueHeads, headDim);
        Tensor[] ours = [query, key, value], exact = [.. ours.Select(TorchCase.Double)];
        var (output, logSumExp) = TorchAttention.Forward(query, key, value, BlockLayout.Create(pattern, keys));
        var expected = TorchCase.Dense(exact[0], exact[1], exact[2], pattern);
        var elementType = type == ScalarType.BFloat16 ? ElementType.BFloat16 : ElementType.Float32;
        TorchCase.AssertClose(Tolerance.Forward(elementType), $"output of {what}", expected.Output, output);
        TorchCase.AssertClose(Tolerance.Forward(ElementType.Float32).Relative.Times(10), $"log-sum-exp of {what}",
            expected.LogSumExp, logSumExp);

        // Weights that both types hold, so that both losses are the same.
        Tensor dOutput = TorchCase.Normal(random, type, output.shape).detach(),
            dLogSumExp = TorchCase.Normal(random, ScalarType.Float32, logSumExp.shape).detach();
        autograd.backward([output, logSumExp], [dOutput, dLogSumExp]);
        autograd.backward([expected.Output, expected.LogSumExp],
            [TorchCase.Double(dOutput).detach(), TorchCase.Double(dLogSumExp).detach()]);
        foreach (var (tensor, n) in ours.Select((tensor, n) => (tensor, n)))
            TorchCase.AssertClose(Tolerance.Backward(elementType).Relative.Times(2), $"gradient {n} of {what}",
                exact[n].grad, tensor.grad);
    }
}

using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace S2ILGPU.TorchSharp.Tests;

/// <summary>Merged partitions are the attention over all keys, and so are their gradients.</summary>
public sealed class MergeTests
{
    [TorchFact]
    public void Parts_of_the_keys_merge_into_the_whole()
    {
        var random = Seeds.NewRandom();
        using var scope = NewDisposeScope();
        int keys = random.Next(2, 90), heads = 2 * random.Next(1, 3), first = random.Next(1, keys);
        var pattern = new DensePattern(heads, 2, 16, isCausal: false);
        Tensor query = TorchCase.Normal(random, ScalarType.Float32, 1, 1, heads, 16),
            key = TorchCase.Normal(random, ScalarType.Float32, 1, keys, 2, 16),
            value = TorchCase.Normal(random, ScalarType.Float32, 1, keys, 2, 16);
        Tensor[] ours = [query, key, value], exact = [.. ours.Select(TorchCase.Double)];

        var layout = BlockLayout.Create(pattern, keys);
        var parts = new[] { (Start: 0, End: first), (Start: first, End: keys) }.Select(part => TorchAttention.Forward(
            query, key[.., part.Start..part.End], value[.., part.Start..part.End], layout)).ToArray();
        var merged = TorchAttention.Merge([.. parts.Select(p => p.Output)], [.. parts.Select(p => p.LogSumExp)]);
        var expected = TorchCase.Dense(exact[0], exact[1], exact[2], pattern);
        TorchCase.AssertClose(Tolerance.Forward(ElementType.Float32), "output", expected.Output, merged.Output);
        TorchCase.AssertClose(Tolerance.Forward(ElementType.Float32).Relative, "log-sum-exp", expected.LogSumExp,
            merged.LogSumExp);

        Tensor dOutput = TorchCase.Normal(random, ScalarType.Float32, merged.Output.shape).detach(),
            dLogSumExp = TorchCase.Normal(random, ScalarType.Float32, merged.LogSumExp.shape).detach();
        autograd.backward([merged.Output, merged.LogSumExp], [dOutput, dLogSumExp]);
        autograd.backward([expected.Output, expected.LogSumExp],
            [TorchCase.Double(dOutput).detach(), TorchCase.Double(dLogSumExp).detach()]);
        for (int n = 0; n < ours.Length; n++)
            TorchCase.AssertClose(Tolerance.Backward(ElementType.Float32).Relative, $"gradient {n}", exact[n].grad,
                ours[n].grad);
    }

    [TorchFact]
    public void Part_that_keeps_nothing_counts_nothing()
    {
        var random = Seeds.NewRandom();
        using var scope = NewDisposeScope();
        var layout = BlockLayout.Create(new DensePattern(1, 1, 16), 20);
        Tensor query = TorchCase.Normal(random, ScalarType.Float32, 1, 20, 1, 8);
        var part = TorchAttention.Forward(query, query, query, layout);
        var none = TorchAttention.Forward(query, query, query, layout, sequences: new SequenceBatch());
        Assert.All(TorchCase.Values(none.LogSumExp), value => Assert.Equal(double.NegativeInfinity, value));
        var merged = TorchAttention.Merge([part.Output, none.Output], [part.LogSumExp, none.LogSumExp]);
        TorchCase.AssertClose(Tolerance.Exact, "output", part.Output, merged.Output);
        merged.Output.sum().backward();
        Assert.All(TorchCase.Values(query.grad!), value => Assert.True(double.IsFinite(value)));
    }
}

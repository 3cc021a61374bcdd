using S2ILGPU.Engines;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace S2ILGPU.TorchSharp.Tests;

/// <summary>The module computes the pattern that its arguments name.</summary>
public sealed class ModuleTests
{
    [TorchFact]
    public void Arguments_name_the_pattern()
    {
        var random = Seeds.NewRandom();
        using var scope = NewDisposeScope();
        using var module = new LocalStrideSparseAttention(numHeads: 4, maxSeqLen: 200, blockSize: 16, localBlocks: 2,
            vertStride: 3, numDenseHeads: 1, numKvHeads: 2, headSlidingOffset: 1);
        var pattern = new LocalStridePattern(4, 2, 16, 2, 3, new StripeOptions { HeadOffset = 1, DenseHeads = 1 });
        CheckAgainst(pattern, module, random, keyValueHeads: 2);
    }

    // Without numKvHeads the heads of a group differ, as in Phi-3-small.
    [TorchFact]
    public void Pattern_slides_by_query_head_where_no_heads_of_keys_are_named()
    {
        var random = Seeds.NewRandom();
        using var scope = NewDisposeScope();
        using var module = new LocalStrideSparseAttention(4, 200, 16, 1, 4);
        CheckAgainst(new LocalStridePattern(4, 4, 16, 1, 4), module, random, keyValueHeads: 4);
        CheckAgainst(new LocalStridePattern(4, 2, 16, 1, 4, new StripeOptions { SlideByQueryHead = true }), module,
            random, keyValueHeads: 2);
    }

    [TorchFact]
    public void Active_heads_are_those_of_the_whole()
    {
        var random = Seeds.NewRandom();
        using var scope = NewDisposeScope();
        Tensor query = TorchCase.Normal(random, ScalarType.Float32, 1, 150, 8, 8),
            key = TorchCase.Normal(random, ScalarType.Float32, 1, 150, 4, 8),
            value = TorchCase.Normal(random, ScalarType.Float32, 1, 150, 4, 8);
        using var whole = new LocalStrideSparseAttention(8, 150, 16, 1, 4, numKvHeads: 4);
        var expected = whole.forward(query, key, value);
        foreach (var range in (Range[])[0..1, 1..3, ^1..])
        {
            using var part = new LocalStrideSparseAttention(8, 150, 16, 1, 4, numKvHeads: 4, activeHeadRange: range);
            var (first, count) = range.GetOffsetAndLength(4);
            Range heads = (2 * first)..(2 * (first + count)), groups = first..(first + count);
            var output = part.forward(query[.., .., heads], key[.., .., groups], value[.., .., groups]);
            TorchCase.AssertClose(Tolerance.Exact, $"heads {range}", expected[.., .., heads], output);
        }
    }

    [TorchFact]
    public void Heads_may_come_before_tokens()
    {
        var random = Seeds.NewRandom();
        using var scope = NewDisposeScope();
        Tensor query = TorchCase.Normal(random, ScalarType.Float32, 2, 70, 4, 8),
            key = TorchCase.Normal(random, ScalarType.Float32, 2, 70, 4, 8);
        using LocalStrideSparseAttention tokensFirst = new(4, 70, 16, 1, 4), headsFirst = new(4, 70, 16, 1, 4,
            seqDim: 2);
        var output = headsFirst.call(query.transpose(1, 2), key.transpose(1, 2), key.transpose(1, 2));
        TorchCase.AssertClose(Tolerance.Exact, "output", tokensFirst.forward(query, key, key).transpose(1, 2), output);
    }

    [TorchFact]
    public void Padded_sequences_are_those_alone()
    {
        var random = Seeds.NewRandom();
        using var scope = NewDisposeScope();
        int[] lengths = [random.Next(1, 80), random.Next(1, 80)];
        Tensor query = TorchCase.Normal(random, ScalarType.Float32, 2, 80, 2, 8);
        using var module = new LocalStrideSparseAttention(2, 80, 16, 1, 2);
        var output = module.forward(query, query, query, scale: 0.5f, SequenceBatch.Padded(lengths, lengths));
        for (int b = 0; b < 2; b++)
        {
            var alone = query[b..(b + 1), ..lengths[b]];
            TorchCase.AssertClose(Tolerance.Exact, $"sequence {b}", module.forward(alone, alone, alone, scale: 0.5f),
                output[b..(b + 1), ..lengths[b]]);
            Assert.All(TorchCase.Values(output[b..(b + 1), lengths[b]..]), value => Assert.Equal(0, value));
        }
    }

    private static void CheckAgainst(LocalStridePattern pattern, LocalStrideSparseAttention module, Random random,
        int keyValueHeads)
    {
        int tokens = random.Next(1, 200);
        Tensor query = TorchCase.Normal(random, ScalarType.Float32, 1, tokens, 4, 8),
            key = TorchCase.Normal(random, ScalarType.Float32, 1, tokens, keyValueHeads, 8);
        var expected = TorchCase.Dense(TorchCase.Double(query), TorchCase.Double(key), TorchCase.Double(key), pattern);
        TorchCase.AssertClose(Tolerance.Forward(ElementType.Float32), $"{tokens} tokens of {pattern}", expected.Output,
            module.forward(query, key, key));
    }
}

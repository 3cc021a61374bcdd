using S2ILGPU.Corpora;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Ops;
using S2ILGPU.TestSupport;
using S2ILGPU.Tokenizers;
using Xunit;

namespace S2ILGPU.Core.Tests.Engines;

/// <summary>Products of sizes beyond what a number or an array can be are refused where they come in, with the values;
/// no arithmetic overflows on the way.</summary>
public sealed class SizeTests
{
    private readonly ReferenceEngine _engine = new();

    public static TheoryData<string, Action<SizeTests>> Calls => new()
    {
        { "2000000 sequences, 1000 heads and 50000 blocks", _ => new PageTable(2_000_000, 1000, 50_000) },
        { "-1 sequences", _ => new PageTable(-1, 1, 1) },
        { "a batch has 0 sequences or more, got -2", _ => SequenceBatch.Uniform(-2, 1, 1) },
        { "query counts of 2 packed sequences sum to 4294967294", _ =>
            SequenceBatch.Packed([int.MaxValue, int.MaxValue], [int.MaxValue, int.MaxValue]) },
        { "16777216 positions with 128 angles", test => new RotaryTable(test._engine, 1 << 24, 256, 10000) },
        { "ContextTokens 16777216 with HeadDim 256 needs 2147483648 rotary angles", _ =>
            new TransformerConfig { ContextTokens = 1 << 24, HeadDim = 256 }.Validate() },
        { "at least 1 logit, got -3", _ => new TokenSampler(new SamplingOptions(), -3) },
        { "Sequences must be 1 to 1048576, got 2147483647", _ =>
            new KeyValueCacheOptions { Sequences = int.MaxValue }.Validate(10) },
        { "at most 2097152 tokens, got 2147483647", _ => new BytePairTrainer().Build(int.MaxValue) },
        { "at most 2097152 tokens, got 2147483647", _ =>
            BytePairTrainer.Train(Corpus.FromText("text"), int.MaxValue) },
        { "at least one layer, got -1", _ => AttentionPlan.FirstDense(-1, 0, new LocalStrideAttention()) },
        { "must be at least 1, got 0", _ => AttentionPlan.EveryDense(4, 0, new LocalStrideAttention()) },
        { "document 1 of 1 documents", _ => Corpus.FromText("text").Document(1) },
    };

    [Theory]
    [MemberData(nameof(Calls))]
    public void Are_refused_with_their_values(string message, Action<SizeTests> call)
    {
        var thrown = Assert.ThrowsAny<ArgumentException>(() => call(this));
        Assert.Contains(message, thrown.Message);
        Assert.DoesNotContain("Parameter", thrown.Message);
    }
}

using S2ILGPU.Cpu.Simd;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu.Attention;

/// <summary>Sequences so long that the engine cuts their keys, or takes some of their queries at a time: parts in
/// decoding, ranges and chunks in the backward pass.</summary>
public sealed class LongSequenceTests() : AttentionTest(() => CpuEngines.Create(SimdWidth.Auto, 2), null)
{
    [Theory]
    [InlineData("dense", 4, 2, 1)]
    [InlineData("dense non-causal", 4, 4, 3)]
    [InlineData("L1 s3 by query head", 4, 1, 1)]
    [InlineData("dense", 16, 1, 1)]
    [InlineData("random mostly empty", 2, 2, 20)]
    public void Decoding_in_parts(string pattern, int heads, int keyValueHeads, int queries)
    {
        TestScale.SkipUnlessDrawn(4);
        foreach (int headDim in (int[])[8, 32])
            CheckForward(new AttentionCase
            {
                Pattern = pattern,
                QueryHeads = heads,
                KeyValueHeads = keyValueHeads,
                HeadDim = headDim,
                QueryCounts = [queries, 0, queries],
                KeyCounts = [5000, 3000, 1025],
                LayoutPerSequence = true,
            });
    }

    [Theory]
    [InlineData("L2 s3", 16, 1, 1)]
    [InlineData("dense", 64, 2, 1)]
    [InlineData("L2 s3 non-causal", 128, 1, 1)]
    public void Backward_in_ranges(string pattern, int blockTokens, int heads, int keyValueHeads) =>
        CheckBackward(new AttentionCase
    {
        Pattern = pattern,
        BlockTokens = blockTokens,
        QueryHeads = heads,
        KeyValueHeads = keyValueHeads,
        HeadDim = 8,
        QueryCounts = [2100, 70],
        KeyCounts = [2100, 100],
        Batching = Batching.Packed,
    });

    // Large heads: the queries are taken 256 at a time.
    [Theory]
    [InlineData("dense", 64)]
    [InlineData("L2 s3", 16)]
    [InlineData("L1 s3 by query head", 64)]
    [InlineData("L2 s3 non-causal", 128)]
    [InlineData("random by query head", 32)]
    [InlineData("random mostly empty", 64)]
    public void Backward_in_chunks_of_queries(string pattern, int blockTokens)
    {
        TestScale.SkipUnlessDrawn(2);
        CheckBackward(new AttentionCase
        {
            Pattern = pattern,
            BlockTokens = blockTokens,
            QueryHeads = 4,
            KeyValueHeads = 1,
            HeadDim = 96,
            QueryCounts = [400, 150],
            KeyCounts = [400, 330],
            Batching = Batching.Packed,
        });
    }

    [Theory]
    [InlineData("dense", MemoryOrder.TokenMajor)]
    [InlineData("L2 s3", MemoryOrder.TokenMajor)]
    [InlineData("L2 s3 non-causal", MemoryOrder.PackedKeyValue)]
    [InlineData("dense", MemoryOrder.PackedQueryKeyValue)]
    public void Forward_with_keys_in_token_order(string pattern, MemoryOrder order) => CheckForward(new AttentionCase
    {
        Pattern = pattern,
        QueryHeads = 8,
        KeyValueHeads = 2,
        HeadDim = 64,
        QueryCounts = [330, 290],
        KeyCounts = [330, 290],
        Order = order,
        PaddingRows = 5,
    });

    [Theory]
    [InlineData(ElementType.BFloat16, ElementType.BFloat16, 40)]
    [InlineData(ElementType.BFloat16, ElementType.Float32, 64)]
    [InlineData(ElementType.Float32, ElementType.Float16, 64)]
    public void Forward_with_keys_and_values_of_16_bits(ElementType keyType, ElementType valueType, int headDim)
    {
        const int heads = 4, keyValueHeads = 2, keys = 330;
        foreach (int queries in (int[])[1, 70, keys])
        {
            var layout = BlockLayout.Create(PatternCatalog.Create("L2 s3", heads, keyValueHeads, 32), keys, queries);
            var query = Normal("query", new Shape(2, queries, heads, headDim));
            var (key, value) = (Normal("key", new Shape(2, keys, keyValueHeads, headDim), type: keyType),
                Normal("value", new Shape(2, keys, keyValueHeads, headDim), type: valueType));
            var (output, logSumExp) = (Output("output", query.Shape),
                Output("log-sum-exp", new Shape(2, heads, queries)));
            Check($"{keyType} keys, {valueType} values, {queries} queries", Forward, e =>
                e.Engine.AttentionForward(new AttentionForwardArguments(
                e[query], e[key], e[value], e[output], e[logSumExp], layout, SequenceBatch.Uniform(2, queries, keys),
                    1 / MathF.Sqrt(headDim))));
            Release();
        }
    }
}

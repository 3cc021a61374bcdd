using S2ILGPU.Backends;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu.Attention;

/// <summary>Sequences so long that the engine cuts their keys: parts in decoding, ranges in the backward pass.</summary>
public sealed class LongSequenceTests() : AttentionTest(() => CpuEngines.Create(SimdWidth.Auto, 2), null)
{
    [Theory]
    [InlineData("dense", 4, 2, 1)]
    [InlineData("dense non-causal", 4, 4, 3)]
    [InlineData("L1 s3 by query head", 4, 1, 1)]
    [InlineData("dense", 16, 1, 1)]
    [InlineData("random mostly empty", 2, 2, 20)]
    public void DecodingInParts(string pattern, int heads, int keyValueHeads, int queries)
    {
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
    public void BackwardInRanges(string pattern, int blockTokens, int heads, int keyValueHeads) => CheckBackward(new AttentionCase
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
}

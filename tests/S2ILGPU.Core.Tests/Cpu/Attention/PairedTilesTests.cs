using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Attention;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu.Attention;

/// <summary>Two tiles of queries that go over their keys together, on an engine whose caches are too small for any
/// tile's keys.</summary>
public sealed class PairedTilesTests() : AttentionTest(
    () => new CpuEngine(new CpuOptions(SimdWidth.Auto, Threads: 2, new CacheSizes(4 << 10, 1, 1))), null)
{
    // An even and an odd number of tiles; the last and the first one of few queries, which rows of whole registers
    // (32 floats are, on every machine) leave to another kernel.
    [Theory]
    [InlineData("dense", 64, 1, 8)]
    [InlineData("dense", 64, 1, 32)]
    [InlineData("L2 s3", 16, 2, 8)]
    [InlineData("L2 s3", 16, 2, 32)]
    [InlineData("L2 s3 non-causal", 128, 1, 8)]
    [InlineData("L2 s3 non-causal", 128, 1, 32)]
    [InlineData("random mostly empty", 64, 2, 8)]
    [InlineData("random mostly empty", 64, 2, 32)]
    public void Every_second_tile_goes_with_the_one_before(string pattern, int blockTokens, int heads, int headDim)
    {
        foreach (int queries in (int[])[128, 129, 193, 208, 209, 257, 300])
            CheckForward(new AttentionCase
            {
                Pattern = pattern,
                BlockTokens = blockTokens,
                QueryHeads = heads,
                KeyValueHeads = heads,
                HeadDim = headDim,
                QueryCounts = [queries, 70, 139],
                KeyCounts = [queries, 330, 330],
                Batching = Batching.Packed,
            });
    }

    [Theory]
    [InlineData(false, 64, 2)]
    [InlineData(false, 60, 1)]
    [InlineData(true, 64, 1)]
    public void Tiles_are_paired_by_the_bytes_of_their_keys(bool isSparse, int headDim, int tilesPerItem)
    {
        const int tokens = 512;
        using var engine = new CpuEngine();
        using var tensor = engine.Zeros(1, tokens, 1, headDim);
        var layout = BlockLayout.Create(isSparse
            ? new LocalStridePattern(1, 1, blockTokens: 16, localBlocks: 2, verticalStride: 4)
            : new DensePattern(1, 1, blockTokens: 16), tokens);
        // A causal row has half of the keys, and half a block more.
        var plan = new ForwardPlan(2 * sizeof(float) * 64 * (tokens + 16) / 2);
        plan.Make(new AttentionForwardArguments(tensor, tensor, tensor, tensor, null, layout,
            SequenceBatch.Packed([tokens], [tokens]), 1));
        Assert.Equal(tilesPerItem, plan.Sequences[0].TilesPerItem);
        Assert.Equal(tokens / TileQueries.MaxLanes / tilesPerItem, plan.Items);
    }
}

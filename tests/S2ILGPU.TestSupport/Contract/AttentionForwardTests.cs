using S2ILGPU.Backends;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>Sparse attention forward: lengths, head dimensions, head groups, blocks, patterns, batches, memory layouts and extreme scores.</summary>
public abstract class AttentionForwardTests(Func<IBackend> create, ElementType? type = null) : AttentionTest(create, type)
{
    private static readonly AttentionCase s_case = new();

    [Theory]
    [InlineData(0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33)]
    [InlineData(47, 63, 64, 65, 100, 127, 128, 129)]
    [InlineData(200, 255, 257)]
    public void Lengths(params int[] tokens)
    {
        foreach (int count in tokens)
            foreach (int blockTokens in (int[])[16, 64])
                CheckForward(s_case.OfLength(count) with { BlockTokens = blockTokens, Pattern = "L1 s2", HeadDim = 16 });
    }

    [Theory]
    [InlineData(8, 16, 24, 32, 40)]
    [InlineData(64, 72, 80, 96)]
    [InlineData(128, 256)]
    public void HeadDims(params int[] headDims)
    {
        foreach (int headDim in headDims)
            foreach (string pattern in (string[])["L2 s3", "dense non-causal"])
                CheckForward(s_case.OfLength(67) with { HeadDim = headDim, Pattern = pattern });
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 3)]
    [InlineData(4, 2)]
    [InlineData(8, 2)]
    [InlineData(8, 1)]
    public void HeadGroups(int queryHeads, int keyValueHeads)
    {
        foreach (string pattern in (string[])["L2 s4 offset 1", "L1 s3 by query head", "L1 s4 dense head", "random by query head"])
            CheckForward(s_case.OfLength(90) with { QueryHeads = queryHeads, KeyValueHeads = keyValueHeads, Pattern = pattern, HeadDim = 16 });
    }

    [Theory]
    [MemberData(nameof(PatternCatalog.Data), MemberType = typeof(PatternCatalog))]
    public void Patterns(string pattern)
    {
        foreach (int blockTokens in (int[])[16, 32, 64, 128])
            CheckForward(s_case.OfLength(Math.Min(5 * blockTokens + 3, 200)) with { Pattern = pattern, BlockTokens = blockTokens, QueryHeads = 4,
                KeyValueHeads = 2, HeadDim = 16 });
    }

    [Theory]
    [InlineData(MemoryOrder.TokenMajor)]
    [InlineData(MemoryOrder.HeadMajor)]
    [InlineData(MemoryOrder.PackedQueryKeyValue)]
    [InlineData(MemoryOrder.PackedKeyValue)]
    public void MemoryOrders(MemoryOrder order)
    {
        foreach (int headDim in (int[])[24, 64])
            CheckForward(s_case with
            {
                Order = order,
                HeadDim = headDim,
                QueryHeads = 4,
                KeyValueHeads = 2,
                QueryCounts = [70, 70],
                KeyCounts = [70, 70],
            });
    }

    [Theory]
    [InlineData(Batching.Padded)]
    [InlineData(Batching.Packed)]
    public void RaggedBatches(Batching batching)
    {
        int[] counts = [33, 0, 1, 64, 16, 81];
        foreach (string pattern in (string[])["L2 s3", "L2 s3 non-causal", "random"])
        {
            var ragged = s_case with { QueryCounts = counts, KeyCounts = counts, Batching = batching, Pattern = pattern, HeadDim = 16 };
            CheckForward(ragged);
            CheckForward(ragged with { PaddingRows = 9, ExtraLayoutTokens = 50 });
        }
    }

    [Theory]
    [InlineData(Batching.Padded)]
    [InlineData(Batching.Packed)]
    public void FewerQueriesThanKeys(Batching batching)
    {
        foreach (string pattern in (string[])["L2 s3", "dense", "dense non-causal", "L1 s3 by query head", "random"])
        {
            var chunk = s_case with { QueryCounts = [1, 5, 17, 64, 0], KeyCounts = [90, 32, 50, 129, 20], Batching = batching, Pattern = pattern,
                HeadDim = 16 };
            CheckForward(chunk);
            CheckForward(chunk with { LayoutPerSequence = true, PaddingRows = 3 });
        }
    }

    [Fact]
    public void LogSumExpIsOptional()
    {
        CheckForward(s_case with { WithLogSumExp = false });
        CheckForward(s_case with { WithLogSumExp = false, Pattern = "random mostly empty", PaddingRows = 5 });
    }

    [Theory]
    [InlineData(1.0, 0.0)]
    [InlineData(1.0, 1e-6)]
    [InlineData(1e-3, 1.0)]
    [InlineData(1.0, 30.0)]
    [InlineData(30.0, 1.0)]
    [InlineData(0.01, 1e6)]
    public void ExtremeScores(double magnitude, double relativeScale)
    {
        foreach (string pattern in (string[])["L2 s3", "dense non-causal", "random mostly empty"])
            CheckForward(s_case.OfLength(90) with { Magnitude = magnitude, RelativeScale = relativeScale, Pattern = pattern });
    }

    [Fact]
    public void RandomCombinations()
    {
        for (int n = 0; n < RandomCases; n++)
            CheckForward(AttentionCase.CreateRandom(Random, Math.Min(WorkLimit, 12_000_000)));
    }
}

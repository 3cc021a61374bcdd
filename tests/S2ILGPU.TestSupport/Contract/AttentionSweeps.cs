using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>The sweeps that the forward and the backward pass share: lengths, head dimensions, head groups, blocks,
/// patterns, batches, memory layouts and scores.</summary>
public abstract class AttentionSweeps(Func<IEngine> create, ElementType? type) : AttentionTest(create, type)
{
    private protected static readonly AttentionCase s_case = new();

    private bool _hasRun;

    // Between the powers of two: around slices of 64, and no multiple of 16.
    private static readonly int[] s_wideHeadDims = [104, 112, 120, 136, 192, 200, 248];

    /// <summary>How many of the head dims that are large and no power of two a run tries, drawn anew in each; all of
    /// them where that is cheap.</summary>
    protected virtual int WideHeadDimCount => s_wideHeadDims.Length;

    /// <summary>One of so many tests runs, the others are skipped; it runs its first case, and of the others one of so
    /// many, drawn by the seed. More than 1 where a case is expensive.</summary>
    protected virtual int Share => 1;

    /// <summary>Checks one pass over a case.</summary>
    protected abstract void RunCase(AttentionCase problem);

    /// <summary>Scalar multiply-adds of the reference that a random case may take.</summary>
    protected abstract long RandomWork { get; }

    [Theory]
    [InlineData(0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33)]
    [InlineData(47, 63, 64, 65, 100, 127, 128, 129)]
    [InlineData(200, 255, 257)]
    public void Lengths(params int[] tokens)
    {
        foreach (int count in tokens)
            foreach (int blockTokens in (int[])[16, 64])
                Run(s_case.OfLength(count) with { BlockTokens = blockTokens, Pattern = "L1 s2", HeadDim = 16 });
    }

    [Theory]
    [InlineData(8, 16, 24, 32, 40)]
    [InlineData(64, 72, 80, 96)]
    [InlineData(128, 256)]
    public void Head_dims(params int[] headDims)
    {
        foreach (int headDim in headDims)
            foreach (string pattern in (string[])["L2 s3", "dense non-causal"])
                Run(s_case.OfLength(67) with { HeadDim = headDim, Pattern = pattern });
    }

    [Fact]
    public void Wide_head_dims()
    {
        int[] headDims = [.. s_wideHeadDims];
        Random.Shuffle(headDims);
        foreach (int headDim in headDims.Take(WideHeadDimCount))
            foreach (string pattern in (string[])["L2 s3", "dense non-causal"])
                Run(s_case.OfLength(Random.Next(33, 68)) with { HeadDim = headDim, Pattern = pattern });
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 3)]
    [InlineData(4, 2)]
    [InlineData(8, 2)]
    [InlineData(8, 1)]
    public void Head_groups(int queryHeads, int keyValueHeads)
    {
        foreach (string pattern in (string[])["L2 s4 offset 1", "L1 s3 by query head", "L1 s4 dense head",
            "random by query head"])
            Run(s_case.OfLength(90) with { QueryHeads = queryHeads, KeyValueHeads = keyValueHeads, Pattern = pattern,
                HeadDim = 16 });
    }

    [Theory]
    [MemberData(nameof(PatternCatalog.Data), MemberType = typeof(PatternCatalog))]
    public void Patterns(string pattern)
    {
        foreach (int blockTokens in (int[])[16, 32, 64, 128])
            Run(s_case.OfLength(Math.Min(4 * blockTokens + 3, 140)) with { Pattern = pattern, BlockTokens = blockTokens,
                QueryHeads = 4,
                KeyValueHeads = 2, HeadDim = 16 });
    }

    [Theory]
    [InlineData(MemoryOrder.TokenMajor)]
    [InlineData(MemoryOrder.HeadMajor)]
    [InlineData(MemoryOrder.PackedQueryKeyValue)]
    [InlineData(MemoryOrder.PackedKeyValue)]
    public void Memory_orders(MemoryOrder order)
    {
        foreach (int headDim in (int[])[24, 64])
            Run(s_case with
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
    public void Ragged_batches(Batching batching)
    {
        int[] counts = [33, 0, 1, 64, 16, 81];
        foreach (string pattern in (string[])["L2 s3", "L2 s3 non-causal", "random"])
        {
            var ragged = s_case with { QueryCounts = counts, KeyCounts = counts, Batching = batching, Pattern = pattern,
                HeadDim = 16 };
            Run(ragged);
            Run(ragged with { PaddingRows = 9, ExtraLayoutTokens = 50 });
        }
    }

    [Theory]
    [InlineData(Batching.Padded)]
    [InlineData(Batching.Packed)]
    public void Fewer_queries_than_keys(Batching batching)
    {
        foreach (string pattern in (string[])["L2 s3", "dense", "dense non-causal", "L1 s3 by query head", "random"])
            Run(s_case with { QueryCounts = [1, 5, 17, 64, 0], KeyCounts = [90, 32, 50, 129, 20], Batching = batching,
                Pattern = pattern, HeadDim = 16 });
    }

    [Fact]
    public void Log_sum_exp_and_its_gradient_are_optional()
    {
        foreach (string pattern in (string[])["L2 s3", "dense non-causal", "random mostly empty"])
            Run(s_case with { WithLogSumExp = false, Pattern = pattern, PaddingRows = 5 });
    }

    [Theory]
    [InlineData(1.0, 0.0)]
    [InlineData(1.0, 1e-6)]
    [InlineData(1e-3, 1.0)]
    [InlineData(1.0, 5.0)]
    [InlineData(5.0, 1.0)]
    public void Extreme_scores(double magnitude, double relativeScale)
    {
        foreach (string pattern in (string[])["L2 s3", "dense non-causal", "random mostly empty"])
            Run(s_case.OfLength(90) with { Magnitude = magnitude, RelativeScale = relativeScale, Pattern = pattern });
    }

    /// <summary>What a row sees reaches it as in float64, what it does not see never does, NaN and infinity
    /// included.</summary>
    [Theory]
    [InlineData("L2 s3")]
    [InlineData("dense")]
    [InlineData("L2 s3 non-causal")]
    [InlineData("random mostly empty")]
    public void NaN_and_infinity_reach_the_rows_that_see_them(string pattern)
    {
        foreach (int tokens in (int[])[1, 2, 16, 17, 63, 64, 65])
            Run(s_case.OfLength(tokens) with { Pattern = pattern, HeadDim = 16, Damages = 1 + tokens % 2 });
        Run(s_case with { QueryCounts = [5, 33], KeyCounts = [40, 70], Pattern = pattern, Batching = Batching.Packed,
            PaddingRows = 3, Damages = 3 });
        Run(s_case with { QueryCounts = [1, 1], KeyCounts = [40, 70], Pattern = pattern, Damages = 2 });
    }

    [Fact]
    public void NaN_and_infinity_in_random_combinations()
    {
        for (int n = 0; n < RandomCases; n++)
            Run(AttentionCase.CreateRandom(Random, RandomWork / 3) with { Damages = Random.Next(1, 5) });
    }

    [Fact]
    public void Random_combinations()
    {
        for (int n = 0; n < RandomCases; n++)
            Run(AttentionCase.CreateRandom(Random, RandomWork));
    }

    /// <summary>Checks a case if it is one of those that this run takes.</summary>
    private protected void Run(AttentionCase problem)
    {
        if (!_hasRun)
            TestScale.SkipUnlessDrawn(Share);
        if (_hasRun && Random.Next(Share) != 0)
            return;
        _hasRun = true;
        RunCase(problem);
    }
}

using S2ILGPU.Distributed.Context;
using S2ILGPU.Patterns;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Distributed.Tests.Context;

/// <summary>Bytes and work of a shared context.</summary>
public sealed class ContextPlanTests
{
    // 128K tokens in blocks of 64, 32 heads on 8 of 128, bfloat16, 8 ranks: MB per rank and layer.
    [Theory]
    [InlineData(16, 8, 50, 62)]
    [InlineData(8, 32, 13.8, 16.8)]
    public void A_long_context_costs_what_its_heads_keep(int local, int stride, double mean, double most)
    {
        var pattern = new LocalStridePattern(32, 8, 64, local, stride);
        var plan = ContextPlan.Of(pattern, 131072, ranks: 8, headDim: 128, elementBytes: 2);
        Assert.Equal(470, plan.RingBytes / 1e6, 0.5);
        Assert.Equal(294, plan.UlyssesBytes / 1e6, 0.5);
        Assert.Equal(mean, plan.MeanBytes / 1e6, most < 20 ? 0.05 : 0.5);
        Assert.Equal(most, plan.BusiestBytes / 1e6, most < 20 ? 0.05 : 0.5);
        Assert.Equal(1.000, plan.MostWork / plan.MeanWork, 0.0005);
    }

    [Fact]
    public void Bytes_equal_those_of_every_kept_pair()
    {
        var random = Seeds.NewRandom();
        for (int n = 0; n < 10; n++)
        {
            string name = random.Pick([.. PatternCatalog.Names]);
            var pattern = PatternCatalog.Create(name, 4, 2, 16);
            int ranks = random.Next(1, 4), tokens = pattern.BlockTokens * random.Next(2 * ranks, 40) - random.Next(16);
            if (pattern.IsCausal)
                Check(pattern, tokens, ranks);
        }
    }

    // By definition: a pair of ranks exchanges (head, block) when a query of one keeps a block of the other.
    private static void Check(AttentionPattern pattern, int tokens, int ranks)
    {
        int blocks = (tokens + pattern.BlockTokens - 1) / pattern.BlockTokens;
        var chunks = new ContextChunks(tokens, ranks, pattern.BlockTokens).Validate();
        int Owner(int block)
        {
            int chunk = 0;
            while (chunk + 1 < 2 * ranks && (chunk + 1) * blocks / (2 * ranks) <= block)
                chunk++;
            return Math.Min(chunk, 2 * ranks - 1 - chunk);
        }
        var pairs = new HashSet<(int To, int Head, int Block)>();
        double work = 0;
        for (int head = 0; head < pattern.PatternHeads; head++)
            for (int i = 0; i < blocks; i++)
                for (int j = 0; j <= i; j++)
                    if (pattern.Keeps(head, i, j))
                    {
                        work += i == j ? 0.5 : 1;
                        if (Owner(i) != Owner(j))
                            pairs.Add((Owner(i), head * pattern.KeyValueHeads / pattern.PatternHeads, j));
                    }
        var plan = ContextPlan.Of(pattern, tokens, ranks, headDim: 8, elementBytes: 4);
        double blockBytes = 2 * pattern.BlockTokens * 8 * 4;
        Assert.Equal(pairs.Count * blockBytes, plan.MeanBytes * ranks, 1e-6 * blockBytes);
        Assert.Equal(pairs.GroupBy(pair => pair.To).Select(group => group.Count()).Append(0).Max() * blockBytes,
            plan.MostReceivedBytes);
        Assert.Equal(work * pattern.QueryHeads / pattern.PatternHeads * 4 * pattern.BlockTokens * pattern.BlockTokens
            * 8, plan.MeanWork * ranks, 1e-6 * work * blockBytes * blockBytes);
        for (int token = 0; token < tokens; token++)
            Assert.Equal(Owner(token / pattern.BlockTokens), chunks.Owner(chunks.ChunkOf(token)));
        for (int rank = 0; rank < ranks; rank++)
            Assert.Equal(Enumerable.Range(0, chunks.Positions(rank).Length),
                chunks.Positions(rank).Select(chunks.RowOf));
    }

    [Fact]
    public void Contexts_with_too_few_blocks_are_refused()
    {
        var pattern = new LocalStridePattern(4, 2, 16, 2, 2);
        var refusal = Assert.Throws<ArgumentException>(() => ContextPlan.Of(pattern, 48, ranks: 2, 8, 4));
        Assert.Contains("a context of 48 tokens has 3 blocks of 16, too few for 2 ranks", refusal.Message);
    }
}

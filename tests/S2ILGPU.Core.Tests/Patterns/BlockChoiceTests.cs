using S2ILGPU.Patterns;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Patterns;

public sealed class BlockChoiceTests
{
    private readonly Random _random = Seeds.NewRandom();

    [Fact]
    public void The_fewest_sums_reach_the_share()
    {
        for (int round = 0; round < 200; round++)
        {
            float[] sums = [.. Enumerable.Range(0, _random.Next(1, 40))
                .Select(_ => (float)Math.Pow(_random.NextDouble(), 4))];
            double share = _random.NextDouble() * 0.999, total = sums.Sum(sum => (double)sum);
            int[] marks = Fewest(sums, share);
            double[] kept = [.. sums.Where((_, n) => marks[n] != 0)];
            double reached = kept.Sum(), least = kept.DefaultIfEmpty(0).Min();
            Assert.True(reached >= share * total * (1 - 1e-12), Seeds.Text);
            Assert.True(reached - least < share * total * (1 + 1e-12), Seeds.Text);
            Assert.True(sums.Where((_, n) => marks[n] == 0).All(sum => sum <= least), Seeds.Text);
        }
    }

    [Fact]
    public void A_share_of_1_and_a_sum_that_is_damaged_keep_everything()
    {
        Assert.Equal([1, 1, 1], Fewest([0, 1, 0], 1));
        Assert.Equal([1, 1, 1], Fewest([0.5f, float.NaN, 0], 0.5));
        Assert.Equal([0, 1, 0], Fewest([0, 1, 0], 0.99));
    }

    [Fact]
    public void Marks_become_a_pattern_of_as_many_blocks()
    {
        const int heads = 4, blocks = 20, first = 7;
        int[] marks = [.. Enumerable.Range(0, 2 * heads * blocks).Select(_ => _random.Next(4) == 0 ? 1 : 0)];
        var pattern = BlockChoice.Pattern(marks, new DensePattern(heads, 2, 32));
        Assert.Equal((heads, 32), (pattern.PatternHeads, pattern.BlockTokens));
        for (int head = 0; head < heads; head++)
        {
            int count = 0;
            for (int i = first; i < blocks; i++)
                for (int j = 0; j <= i; j++)
                    count += pattern.Keeps(head, i, j) ? 1 : 0;
            Assert.Equal(count, BlockChoice.Count(marks.AsSpan(head * blocks, blocks),
                marks.AsSpan((heads + head) * blocks, blocks), first));
            Assert.Equal(Enumerable.Range(0, blocks).Where(n => marks[head * blocks + n] != 0),
                pattern.Columns(head).ToArray());
            Assert.Equal(Enumerable.Range(0, blocks).Where(n => marks[(heads + head) * blocks + n] != 0),
                pattern.Slashes(head).ToArray());
        }
    }

    private static int[] Fewest(float[] sums, double share)
    {
        int[] marks = new int[sums.Length];
        BlockChoice.Fewest(sums, share, marks);
        return marks;
    }
}

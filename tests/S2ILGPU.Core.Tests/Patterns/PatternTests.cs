using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using Xunit;

namespace S2ILGPU.Core.Tests.Patterns;

public sealed class PatternTests
{
    [Fact]
    public void Every_row_lists_what_the_pattern_keeps()
    {
        for (int round = 0; round < 40; round++)
        {
            var random = new RandomPatterns();
            foreach (var pattern in random.OneOfEach())
                for (int head = 0; head < pattern.PatternHeads; head++)
                    for (int queryBlock = 0; queryBlock < RandomPatterns.MaxBlocks; queryBlock += 1 + random.Below(3))
                    {
                        int end = random.Below(RandomPatterns.MaxBlocks + 1);
                        var row = new BlockRowBuilder(capacity: 1);
                        row.Add(-1); // an earlier row must stay
                        pattern.AppendRow(head, queryBlock, end, row);
                        var expected = Enumerable.Range(0, end)
                            .Where(keyBlock => pattern.Keeps(head, queryBlock, keyBlock));
                        Assert.True(row.Blocks.ToArray().SequenceEqual(expected.Prepend(-1)),
                            $"{pattern}, head {head}, row {queryBlock}, end {end}, {random.Seed}");
                    }
        }
    }

    [Fact]
    public void The_promise_of_cache_efficiency_holds()
    {
        for (int round = 0; round < 30; round++)
        {
            var random = new RandomPatterns();
            foreach (var pattern in random.OneOfEach().Where(pattern => pattern.IsCacheEfficient))
                for (int head = 0; head < pattern.PatternHeads; head++)
                    for (int i = 1; i < RandomPatterns.MaxBlocks; i++)
                        for (int j = 0; j < i; j++)
                            Assert.True(!pattern.Keeps(head, i, j) || pattern.Keeps(head, i - 1, j),
                                $"{pattern}, head {head}, ({i}, {j}), {random.Seed}");
        }
    }

    [Fact]
    public void A_block_that_may_still_be_read_is_one_that_a_later_row_reads()
    {
        for (int round = 0; round < 10; round++)
        {
            var random = new RandomPatterns();
            foreach (var pattern in random.OneOfEach().Where(pattern => pattern.IsCacheEfficient))
                for (int kvHead = 0; kvHead < pattern.KeyValueHeads; kvHead++)
                    for (int j = 0; j < 20; j++)
                    {
                        int from = 20, group = pattern.QueryHeads / pattern.KeyValueHeads;
                        bool expected = Enumerable.Range(from, RandomPatterns.MaxBlocks - from).Any(i =>
                            Enumerable.Range(kvHead * group, group)
                            .Any(head => pattern.Keeps(pattern.PatternHeadOf(head), i, j)));
                        Assert.True(expected == pattern.MayStillRead(kvHead, from, j),
                            $"{pattern}, KV head {kvHead}, block {j}, {random.Seed}");
                    }
        }
    }

    [Fact]
    public void Union_and_intersection_keep_what_either_or_both_keep_for_each_query_head()
    {
        for (int round = 0; round < 20; round++)
        {
            var random = new RandomPatterns();
            var patterns = random.OneOfEach().Take(4).ToArray();
            foreach (var a in patterns)
                foreach (var b in patterns)
                {
                    AttentionPattern union = a.Union(b), both = a & b;
                    for (int head = 0; head < a.QueryHeads; head++)
                    {
                        int i = random.Below(RandomPatterns.MaxBlocks), j = random.Below(RandomPatterns.MaxBlocks);
                        bool inA = a.Keeps(a.PatternHeadOf(head), i, j), inB = b.Keeps(b.PatternHeadOf(head), i, j);
                        Assert.True((inA || inB) == union.Keeps(union.PatternHeadOf(head), i, j),
                            $"{union}, {random.Seed}");
                        Assert.True((inA && inB) == both.Keeps(both.PatternHeadOf(head), i, j),
                            $"{both}, {random.Seed}");
                    }
                }
        }
    }

    [Theory]
    [InlineData(8, 4, false, 2, 6, 2)]
    [InlineData(8, 4, true, 2, 6, 2)]
    [InlineData(8, 2, false, 5, 7, 1)]
    [InlineData(8, 2, true, 5, 7, 1)]
    [InlineData(8, 8, false, 3, 8, 5)]
    public void A_head_slice_keeps_the_rows_of_the_full_pattern(int heads, int kvHeads, bool slideByQueryHead,
        int start, int end, int slicedKvHeads)
    {
        var full = new LocalStridePattern(heads, kvHeads, 16, 2, 16,
            new() { HeadOffset = 1, DenseHeads = 1, SlideByQueryHead = slideByQueryHead });
        var slice = full.SliceHeads(start..end);
        Assert.Equal((end - start, slicedKvHeads), (slice.QueryHeads, slice.KeyValueHeads));
        for (int head = start; head < end; head++)
            Assert.Equal(RandomPatterns.Grid(full, full.PatternHeadOf(head), 40),
                RandomPatterns.Grid(slice, slice.PatternHeadOf(head - start), 40));
        Assert.True(slice.IsCacheEfficient);
    }

    [Theory]
    [InlineData(1, 5, "whole groups of 4")]
    [InlineData(0, 6, "whole groups of 4")]
    [InlineData(4, 4, "heads 4..4")]
    [InlineData(4, 9, "heads 4..9")]
    public void A_head_slice_that_cuts_groups_is_refused(int start, int end, string message)
    {
        var pattern = new LocalStridePattern(8, 2);
        Assert.Contains(message, Assert.ThrowsAny<ArgumentException>(() => pattern.SliceHeads(start..end)).Message);
    }

    [Fact]
    public void A_sliding_window_keeps_its_sinks()
    {
        var pattern = new SlidingWindowPattern(2, 1, windowBlocks: 2, sinkBlocks: 1, blockTokens: 16);
        Assert.Equal("100000/110000/111000/101100/100110/100011", RandomPatterns.Grid(pattern, 0, 6));
        var relative = new SlidingWindowPattern(2, 1, windowBlocks: 2, sinkBlocks: 1, blockTokens: 16, isCausal: false);
        Assert.Equal("110000/111000/111100/101110/100111/100011", RandomPatterns.Grid(relative, 0, 6));
    }

    [Fact]
    public void Two_ranges_keep_near_stripes_then_far_stripes()
    {
        var pattern = new TwoRangePattern(4, 4, localBlocks: 2, nearBlocks: 7, nearStride: 2, farStride: 4,
            blockTokens: 16);
        Assert.Equal([0, 4, 8, 10, 12, 14, 15], Enumerable.Range(0, 16).Where(j => pattern.Keeps(0, 15, j) && j != 9));
        Assert.Equal([3, 7, 9, 11, 13, 14, 15], Enumerable.Range(0, 16).Where(j => pattern.Keeps(1, 15, j)));
        Assert.True(pattern.IsCacheEfficient);
        Assert.True(PatternReport.Of(pattern, 40 * 16).Coverage.IsComplete);
        Assert.False(new TwoRangePattern(4, 4, 2, 7, 3, 4).IsCacheEfficient);
    }

    [Fact]
    public void A_table_is_copied_and_checked()
    {
        var table = new bool[2, 3, 3];
        table[1, 2, 0] = true;
        var pattern = new CustomPattern(table, queryHeads: 4, keyValueHeads: 2, blockTokens: 16);
        table[1, 2, 0] = false;
        Assert.True(pattern.Keeps(1, 2, 0));
        Assert.False(pattern.IsCacheEfficient);
        Assert.Equal(2, pattern.PatternHeads);
        Assert.Equal(4, new CustomPattern(new bool[4, 3, 3], 4, 2).PatternHeads);

        table[0, 0, 2] = true;
        Assert.Contains("head 0 keeps key block 2 for query block 0",
            Assert.ThrowsAny<ArgumentException>(() => new CustomPattern(table, 4, 2)).Message);
        Assert.Contains("[3, 3, 3]",
            Assert.ThrowsAny<ArgumentException>(() => new CustomPattern(new bool[3, 3, 3], 4, 2)).Message);
        Assert.Contains("[2, 3, 4]",
            Assert.ThrowsAny<ArgumentException>(() => new CustomPattern(new bool[2, 3, 4], 4, 2)).Message);
        Assert.Contains("49 tokens need 4",
            Assert.ThrowsAny<ArgumentException>(() => BlockLayout.Create(pattern, 49)).Message);
    }

    [Fact]
    public void Patterns_that_do_not_agree_are_not_combined()
    {
        var pattern = new DensePattern(4, 2, 64);
        AttentionPattern[] others = [new DensePattern(4, 4, 64), new DensePattern(4, 2, 32),
            new DensePattern(4, 2, 64, isCausal: false)];
        Assert.All(others, other =>
            Assert.Contains("must agree", Assert.ThrowsAny<ArgumentException>(() => pattern | other).Message));
    }

    [Fact]
    public void Bad_windows_and_ranges_are_refused_with_their_value()
    {
        Assert.Contains("got 0", Assert.ThrowsAny<ArgumentException>(() =>
            new SlidingWindowPattern(2, 2, windowBlocks: 0)).Message);
        Assert.Contains("got -1", Assert.ThrowsAny<ArgumentException>(() =>
            new SlidingWindowPattern(2, 2, 1, sinkBlocks: -1)).Message);
        Assert.Contains("near blocks must be at least 5, got 4",
            Assert.ThrowsAny<ArgumentException>(() => new TwoRangePattern(2, 2, 5, 4, 2, 4)).Message);
        Assert.Contains("far stride",
            Assert.ThrowsAny<ArgumentException>(() => new TwoRangePattern(2, 2, 5, 8, 2, 0)).Message);
    }
}

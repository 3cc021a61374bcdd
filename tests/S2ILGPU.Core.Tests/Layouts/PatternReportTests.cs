using S2ILGPU.Core.Tests.Patterns;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using Xunit;

namespace S2ILGPU.Core.Tests.Layouts;

public sealed class PatternReportTests
{
    [Theory]
    [InlineData(32, 4, 8, new[] { 1, 2, 3, 4 })]
    [InlineData(8, 2, 16, new[] { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15 })]
    [InlineData(4, 4, 10, new[] { 1, 2, 3, 5, 7, 9 })]
    [InlineData(32, 8, 8, new int[0])]
    [InlineData(16, 16, 32, new[] { 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31 })]
    public void Missing_residues_are_named(int heads, int kvHeads, int stride, int[] missing)
    {
        foreach (int tokens in new[] { 0, 1000, 16384 })
        {
            var coverage = PatternReport.Of(new LocalStridePattern(heads, kvHeads, verticalStride: stride),
                tokens).Coverage;
            Assert.Equal(missing, coverage.MissingResidues);
            Assert.Equal(missing.Length == 0, coverage.IsComplete);
        }
    }

    [Fact]
    public void Missing_residues_and_missing_blocks_agree()
    {
        for (int round = 0; round < 30; round++)
        {
            var random = new RandomPatterns();
            var pattern = random.OneOfEach().OfType<LocalStridePattern>().First(pattern => true);
            if (!pattern.IsCausal)
                continue;
            var coverage = PatternReport.Of(pattern, 40 * pattern.BlockTokens).Coverage;
            var blocks = Enumerable.Range(0, 40 - pattern.LocalBlocks)
                .Where(block => coverage.MissingResidues.Contains(block % pattern.VerticalStride));
            Assert.True(coverage.MissingKeyBlocks.SequenceEqual(blocks), $"{pattern}, {random.Seed}");
        }
    }

    [Fact]
    public void Offset_dense_heads_and_query_sliding_change_the_coverage()
    {
        Assert.Equal([0, 1, 2, 7], Missing(new() { HeadOffset = 2 }));
        Assert.Empty(Missing(new() { DenseHeads = 1 }));
        Assert.Empty(Missing(new() { SlideByQueryHead = true }));
        Assert.Equal([1, 2, 3, 4, 5, 6, 7], Missing(new() { HomogeneousHeads = true }));

        static IReadOnlyList<int> Missing(StripeOptions stripes) =>
            PatternReport.Of(new LocalStridePattern(32, 4, stripes: stripes), 8192).Coverage.MissingResidues;
    }

    [Fact]
    public void Relative_stripes_miss_all_other_distances()
    {
        var coverage = PatternReport.Of(new LocalStridePattern(4, 4, 16, 2, 3, isCausal: false), 160).Coverage;
        Assert.Equal([1, 2], coverage.MissingResidues);
        Assert.False(coverage.IsComplete);
    }

    [Fact]
    public void Patterns_without_stripes_report_the_key_blocks_that_the_last_row_misses()
    {
        var window = PatternReport.Of(new SlidingWindowPattern(2, 2, windowBlocks: 2, sinkBlocks: 1, blockTokens: 16),
            6 * 16).Coverage;
        Assert.Equal([1, 2, 3], window.MissingKeyBlocks);
        Assert.False(window.IsComplete);
        Assert.Contains("1 2 3", window.ToString());
        Assert.True(PatternReport.Of(new DensePattern(2, 2), 1000).Coverage.IsComplete);

        var early = new bool[1, 3, 3];
        // row 1 reads nothing
        (early[0, 0, 0], early[0, 2, 0], early[0, 2, 1], early[0, 2, 2]) = (true, true, true, true);
        var report = PatternReport.Of(new CustomPattern(early, 1, 1, 16), 48);
        Assert.Empty(report.Coverage.MissingKeyBlocks);
        Assert.False(report.Coverage.IsComplete);
        Assert.Equal(1, report.EmptyRows);
        Assert.False(report.IsCacheEfficient);
        Assert.Equal([3], report.KeptCacheBlocks); // a dropped block may return, so nothing is freed
    }

    [Fact]
    public void Cache_efficiency_is_found_block_by_block()
    {
        for (int round = 0; round < 30; round++)
        {
            var random = new RandomPatterns();
            foreach (var pattern in random.OneOfEach())
            {
                const int blocks = 12;
                bool expected = pattern.IsCausal && Enumerable.Range(0, pattern.PatternHeads)
                    .All(h => Enumerable.Range(1, blocks - 1).All(i =>
                    Enumerable.Range(0, i).All(j => !pattern.Keeps(h, i, j) || pattern.Keeps(h, i - 1, j))));
                Assert.True(expected == PatternReport.Of(pattern, blocks * pattern.BlockTokens).IsCacheEfficient,
                    $"{pattern}, {random.Seed}");
            }
        }
    }

    // SEMANTICS section 3: kept blocks, dense causal over sparse, 16 heads, blocks of 64, as printed there.
    [Theory]
    [InlineData(1, "1.25", "1.33", "1.00", "1.00", "1.34")]
    [InlineData(4, "2.36", "3.56", "1.98", "2.13", "3.89")]
    [InlineData(8, "2.94", "5.69", "3.04", "3.55", "6.74")]
    [InlineData(32, "3.66", "10.9", "5.59", "8.32", "16.3")]
    [InlineData(128, "3.91", "14.3", "7.21", "13.0", "25.8")]
    public void The_ceiling_of_the_speed_up_matches_the_table(int kiloTokens, params string[] expected)
    {
        (int Local, int Stride)[] columns = [(8, 4), (8, 16), (16, 8), (16, 16), (8, 32)];
        for (int c = 0; c < columns.Length; c++)
        {
            var report = PatternReport.Of(new LocalStridePattern(16, 16, 64, columns[c].Local, columns[c].Stride),
                kiloTokens * 1024);
            Assert.Equal(expected[c], report.DenseOverSparse.ToString(report.DenseOverSparse < 9.995 ? "F2" : "F1"));
            Assert.Equal(1, report.DenseOverSparse * report.KeptFraction, precision: 12);
        }
    }

    // SEMANTICS section 2: what decoding keeps.
    [Theory]
    [InlineData(32, 8, 16, "7.5")]
    [InlineData(128, 8, 16, "6.6")]
    [InlineData(128, 16, 8, "13.1")]
    public void The_cache_that_decoding_keeps_matches_the_text(int kiloTokens, int local, int stride, string percent)
    {
        var report = PatternReport.Of(BlockLayout.Create(new LocalStridePattern(16, 16, 64, local, stride),
            kiloTokens * 1024, queryTokens: 1));
        Assert.Equal(percent, (100 * report.KeptCacheFraction).ToString("F1"));
    }

    [Fact]
    public void Balance_and_fractions_count_blocks()
    {
        var report = PatternReport.Of(new LocalStridePattern(2, 2, 16, 1, 4, new() { DenseHeads = 1 }), 8 * 16);
        // head 0: the diagonal, block 0 from row 1, block 4 from row 5
        Assert.Equal([8 + 7 + 3, 36], report.KeptBlocksPerHead);
        Assert.Equal((54L, 72L, 0.75), (report.KeptBlocks, report.DenseBlocks, report.KeptFraction));
        Assert.Equal(36 / 27.0, report.LoadImbalance, precision: 12);
        Assert.Equal(64 * 2, PatternReport.Of(new DensePattern(2, 2, 16, isCausal: false), 8 * 16).DenseBlocks);
        var empty = PatternReport.Of(new DensePattern(2, 2), 0);
        Assert.Equal((1.0, 1.0, 1.0, 0),
            (empty.KeptFraction, empty.LoadImbalance, empty.KeptCacheFraction, empty.EmptyRows));
    }
}

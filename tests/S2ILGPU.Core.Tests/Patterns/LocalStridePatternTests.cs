using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using Xunit;

namespace S2ILGPU.Core.Tests.Patterns;

public sealed class LocalStridePatternTests
{
    [Theory]
    [InlineData(0, "10000000/11000000/11100000/10110000/10011000/10001100/10001110/10001011")]
    [InlineData(1, "10000000/11000000/01100000/00110000/00011000/00011100/00010110/00010011")]
    public void Four_heads_match_the_golden_tables(int head, string grid)
    {
        var pattern = new LocalStridePattern(4, 4, 16, localBlocks: 2, verticalStride: 4);
        Assert.Equal(grid, RandomPatterns.Grid(pattern, head, 8));
        Assert.Equal(grid, RandomPatterns.Grid(BlockLayout.Create(pattern, 128), head));
    }

    [Fact]
    public void Homogeneous_heads_match_the_golden_table_with_and_without_gqa()
    {
        foreach (int keyValueHeads in new[] { 4, 2, 1 })
        {
            var pattern = new LocalStridePattern(4, keyValueHeads, 16, localBlocks: 2, verticalStride: 3,
                new() { HomogeneousHeads = true });
            for (int head = 0; head < keyValueHeads; head++)
                Assert.Equal("10000000/11000000/11100000/10110000/10011000/10011100/10010110/10010011",
                    RandomPatterns.Grid(pattern, head, 8));
        }
    }

    [Fact]
    public void Relative_stripes_match_the_golden_table_in_every_head()
    {
        var pattern = new LocalStridePattern(4, 2, 16, localBlocks: 2, verticalStride: 3, isCausal: false);
        const string grid = "11001001/11100100/01110010/00111001/10011100/01001110/00100111/10010011";
        for (int head = 0; head < 2; head++)
        {
            Assert.Equal(grid, RandomPatterns.Grid(pattern, head, 8));
            Assert.Equal(grid, RandomPatterns.Grid(BlockLayout.Create(pattern, 128), head));
        }
    }

    [Fact]
    public void Head_h_keeps_the_negative_residue_of_its_shift()
    {
        var pattern = new LocalStridePattern(8, 8, 16, localBlocks: 1, verticalStride: 8, new() { HeadOffset = 3 });
        for (int head = 0; head < 8; head++)
        {
            Assert.Equal((16 - head - 3) % 8, pattern.StripeResidue(head));
            Assert.True(pattern.Keeps(head, 100, 80 + pattern.StripeResidue(head)));
            Assert.Equal(1, Enumerable.Range(80, 8).Count(block => pattern.Keeps(head, 100, block)));
        }
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 7)]
    [InlineData(3, 5)]
    [InlineData(8, 0)]
    public void An_offset_of_n_puts_block_0_on_head_s_minus_n(int offset, int head)
    {
        var pattern = new LocalStridePattern(8, 8, 16, localBlocks: 1, verticalStride: 8,
            new() { HeadOffset = offset });
        Assert.Equal([head], Enumerable.Range(0, 8).Where(h => pattern.Keeps(h, 50, 0)));
    }

    [Fact]
    public void Phi_3_small_slides_by_query_head()
    {
        var pattern = new LocalStridePattern(32, 8, stripes: new() { HeadOffset = 1, SlideByQueryHead = true });
        Assert.Equal((64, 16, 8), (pattern.BlockTokens, pattern.LocalBlocks, pattern.VerticalStride));
        Assert.Equal(32, pattern.PatternHeads);
        for (int head = 0; head < 32; head++)
        {
            Assert.Equal(head, pattern.PatternHeadOf(head));
            Assert.Equal((7 - head % 8 + 8) % 8, pattern.StripeResidue(head));
        }
        var report = PatternReport.Of(pattern, 8192);
        Assert.True(report.Coverage.IsComplete);
        Assert.Equal(8, report.KeptCacheBlocks.Count);
        // The four heads of a group differ: their KV head keeps four residues of eight beyond the window.
        Assert.All(report.KeptCacheBlocks, kept => Assert.InRange(kept, 15 + 4 * 14, 15 + 4 * 15));
    }

    [Fact]
    public void Sliding_by_kv_head_gives_a_group_the_pattern_of_its_kv_head()
    {
        var pattern = new LocalStridePattern(32, 8);
        Assert.Equal(8, pattern.PatternHeads);
        Assert.Equal([0, 0, 0, 0, 1, 7], new[] { 0, 1, 2, 3, 4, 31 }.Select(pattern.PatternHeadOf));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Dense_heads_are_the_last_ones_counted_in_kv_heads(bool slideByQueryHead)
    {
        var pattern = new LocalStridePattern(8, 4, 16, localBlocks: 1, verticalStride: 8,
            new() { DenseHeads = 1, SlideByQueryHead = slideByQueryHead });
        for (int queryHead = 0; queryHead < 8; queryHead++)
        {
            int head = pattern.PatternHeadOf(queryHead);
            Assert.Equal(queryHead >= 6, pattern.IsDense(head));
            Assert.Equal(queryHead >= 6 ? 41 : 6, Enumerable.Range(0, 100)
                .Count(block => pattern.Keeps(head, 40, block)), tolerance: 1);
        }
    }

    [Fact]
    public void A_stride_of_one_is_dense_without_a_window()
    {
        foreach (bool isCausal in new[] { true, false })
        {
            var pattern = new LocalStridePattern(2, 2, 16, localBlocks: 0, verticalStride: 1, isCausal: isCausal);
            var dense = new DensePattern(2, 2, 16, isCausal);
            Assert.Equal(RandomPatterns.Grid(dense, 1, 9), RandomPatterns.Grid(pattern, 1, 9));
            Assert.Equal(RandomPatterns.Grid(dense, 1, 9), RandomPatterns.Grid(BlockLayout.Create(pattern, 9 * 16), 1));
        }
    }

    [Fact]
    public void Huge_windows_and_strides_do_not_overflow()
    {
        foreach (bool isCausal in new[] { true, false })
            foreach (var (local, stride) in new[] { (int.MaxValue, 2), (1, 1 << 20), (int.MaxValue, 1 << 20) })
            {
                var pattern = new LocalStridePattern(2, 2, 16, local, stride,
                    new() { HeadOffset = int.MaxValue }, isCausal);
                Assert.Equal(RandomPatterns.Grid(pattern, 1, 12),
                    RandomPatterns.Grid(BlockLayout.Create(pattern, 12 * 16), 1));
            }
    }

    [Theory]
    [InlineData(0, 1, 64, 16, 8, 0, 0, "0 query heads")]
    [InlineData(4, 0, 64, 16, 8, 0, 0, "0 key/value heads")]
    [InlineData(6, 4, 64, 16, 8, 0, 0, "4 key/value heads do not divide 6")]
    [InlineData(4, 4, 48, 16, 8, 0, 0, "got 48")]
    [InlineData(4, 4, 8, 16, 8, 0, 0, "got 8")]
    [InlineData(4, 4, 256, 16, 8, 0, 0, "got 256")]
    [InlineData(4, 4, 64, 0, 8, 0, 0, "local blocks must be at least 1, got 0")]
    [InlineData(4, 4, 64, -1, 1, 0, 0, "local blocks must be at least 0, got -1")]
    [InlineData(4, 4, 64, 16, 0, 0, 0, "vertical stride must be 1 to 1048576, got 0")]
    [InlineData(4, 4, 64, 16, 8, -2, 0, "head offset must be at least 0, got -2")]
    [InlineData(8, 4, 64, 16, 8, 0, 5, "dense heads must be 0 to 4 (the key/value heads), got 5")]
    [InlineData(8, 4, 64, 16, 8, 0, -1, "got -1")]
    public void Bad_parameters_are_refused_with_their_value(int heads, int kvHeads, int block, int local, int stride,
        int offset, int dense, string message)
    {
        var e = Assert.ThrowsAny<ArgumentException>(() =>
            new LocalStridePattern(heads, kvHeads, block, local, stride,
            new() { HeadOffset = offset, DenseHeads = dense }));
        Assert.Contains(message, e.Message);
    }
}

using S2ILGPU.Models;
using S2ILGPU.Patterns;
using Xunit;

namespace S2ILGPU.Core.Tests.Models;

public sealed class SampleSelectionTests
{
    [Theory]
    [InlineData("sample:chunks=2", 64, 1000, 16)]
    [InlineData("sample:chunks=4", 0, 64, 16)]
    [InlineData("sample:chunks=3", 5, 800, 64)]
    public void Version_3_samples_the_last_block_of_each_chunk(string text, int first, int count, int block)
    {
        var options = SampleAttentionOptions.Parse(text);
        int[] rows = SampleSelection.Rows(options, first, count, block);
        int chunks = Math.Max(1, Math.Min(options.Chunks, count / (8 * block)));
        Assert.Equal(chunks * block, rows.Length);
        for (int chunk = 1; chunk <= chunks; chunk++)
            Assert.Equal(Enumerable.Range(first + count * chunk / chunks - block, block),
                rows[((chunk - 1) * block)..(chunk * block)]);
    }

    [Fact]
    public void Version_1_samples_rows_in_equal_distances_up_to_the_last()
    {
        int[] rows = SampleSelection.Rows(SampleAttentionOptions.Parse("sample:window=10,rows=10"), 7, 95, 16);
        Assert.Equal(Enumerable.Range(0, 10).Select(n => 7 + 4 + 10 * n), rows);
        Assert.Equal([3], SampleSelection.Rows(SampleAttentionOptions.Parse("sample:window=10,rows=0.001"), 3, 1, 16));
    }

    [Fact]
    public void Windows_are_rounded_up_to_blocks()
    {
        Assert.Equal(3, SampleSelection.WindowBlocks(SampleAttentionOptions.Parse("sample:window=6"), 40));
        Assert.Equal(40, SampleSelection.WindowBlocks(SampleAttentionOptions.Parse("sample:window=100"), 40));
        Assert.Null(SampleSelection.WindowBlocks(SampleAttentionOptions.Parse("sample"), 40));
    }

    [Theory]
    [InlineData("sample:alpha=0", "alpha must be above 0 and at most 1, got 0")]
    [InlineData("sample:columns=1.1", "the share of columns must be above 0 and at most 1, got 1.1")]
    [InlineData("sample:slashes=x", "slashes must be a number, got 'x'")]
    [InlineData("sample:chunks=0", "chunks must be at least 1, got 0")]
    [InlineData("sample:window=101", "the window in percent must be above 0 and at most 100, got 101")]
    [InlineData("sample:window=5,chunks=2", "'chunks' goes not with window")]
    [InlineData("sample:rows=5", "'rows' goes with window")]
    [InlineData("sample:beta=1", "'beta' is unknown in sample")]
    [InlineData("dense", "must begin with sample, got 'dense'")]
    public void Bad_options_are_refused_by_name(string text, string message) => Assert.Contains(message,
        Assert.Throws<ArgumentException>(() => SampleAttentionOptions.Parse(text)).Message);

    [Fact]
    public void Options_are_read_as_command_lines_spell_them()
    {
        Assert.Equal(new SampleAttentionOptions(), SampleAttentionOptions.Parse("sample"));
        Assert.Equal(new SampleAttentionOptions { ColumnAlpha = 0.8, SlashAlpha = 0.9, Chunks = 3, AuditRows = 0,
            Seed = 7 }, SampleAttentionOptions.Parse("sample:alpha=0.9,columns=0.8,chunks=3,audit=0,seed=7"));
        Assert.Equal(new SampleAttentionOptions { WindowPercent = 8, RowPercent = 2.5 },
            SampleAttentionOptions.Parse("sample:window=8,rows=2.5"));
        Assert.False(SampleAttentionOptions.Names("sampled"));
        Assert.Contains("sample is a way to run a dense model",
            Assert.Throws<ArgumentException>(() => AttentionPlan.Parse("sample:alpha=0.9", 2)).Message);
    }
}

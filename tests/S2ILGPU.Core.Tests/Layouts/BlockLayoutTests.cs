using S2ILGPU.Core.Tests.Patterns;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using Xunit;

namespace S2ILGPU.Core.Tests.Layouts;

public sealed class BlockLayoutTests
{
    [Fact]
    public void Rows_match_the_golden_table()
    {
        var layout = BlockLayout.Create(new LocalStridePattern(4, 4, 16, localBlocks: 2, verticalStride: 4)
            .SliceHeads(1..2), tokens: 128);
        int[][] rows = [[0], [0, 1], [1, 2], [2, 3], [3, 4], [3, 4, 5], [3, 5, 6], [3, 6, 7]];
        for (int row = 0; row < rows.Length; row++)
            Assert.Equal(rows[row], (int[])[.. layout.Row(0, row).Full, .. layout.Row(0, row).Partial]);
        Assert.Equal(18, layout.KeptBlocks);
    }

    [Fact]
    public void Rows_and_columns_are_what_the_pattern_keeps_with_the_diagonal_apart()
    {
        for (int round = 0; round < 30; round++)
        {
            var random = new RandomPatterns();
            foreach (var pattern in random.OneOfEach())
            {
                int tokens = random.Below(RandomPatterns.MaxBlocks * pattern.BlockTokens + 1),
                    queries = random.Below(tokens + 1);
                foreach (var layout in new[] { BlockLayout.Create(pattern, tokens),
                    BlockLayout.Create(pattern, tokens, queries) })
                    CheckAgainstPattern(layout, $"{pattern}, {tokens} tokens, {queries} queries, {random.Seed}");
            }
        }
    }

    [Fact]
    public void Heads_are_alike_when_all_their_rows_are()
    {
        Assert.Equal([0, 0, 0, 0], LikeHeads(new DensePattern(4, 4, 16), tokens: 128));
        Assert.Equal([0, 1, 2, 3], LikeHeads(new LocalStridePattern(4, 4, 16, localBlocks: 1, verticalStride: 4),
            tokens: 512));
        for (int round = 0; round < 20; round++)
        {
            var random = new RandomPatterns();
            foreach (var pattern in random.OneOfEach())
            {
                int tokens = random.Below(RandomPatterns.MaxBlocks * pattern.BlockTokens + 1);
                var layout = BlockLayout.Create(pattern, tokens, random.Below(tokens + 1));
                for (int head = 0; head < layout.Heads; head++)
                {
                    int first = Enumerable.Range(0, head + 1).First(other => Rows(layout, other) == Rows(layout, head));
                    Assert.True(layout.FirstHeadLike(head) == first, $"{pattern}, {tokens} tokens, {random.Seed}");
                }
            }
        }

        static int[] LikeHeads(AttentionPattern pattern, int tokens)
        {
            var layout = BlockLayout.Create(pattern, tokens);
            return [.. Enumerable.Range(0, layout.Heads).Select(layout.FirstHeadLike)];
        }

        static string Rows(BlockLayout layout, int head) => string.Join('|', Enumerable
            .Range(layout.FirstQueryBlock, layout.QueryBlocks).Select(row => RowText(layout.Row(head, row))));

        static string RowText(BlockRow row) => string.Join(',', [.. row.Full, .. row.Partial]);
    }

    [Fact]
    public void More_blocks_than_an_array_holds_are_refused_before_they_fill_the_memory()
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("at most 2147483591 kept blocks", Assert.Throws<ArgumentException>(() => BlockLayout.Create(
            new LocalStridePattern(8, 8, 64, localBlocks: 16, verticalStride: 8), int.MaxValue)).Message);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1L << 30);
    }

    // Lists of all kept blocks would take 32 GB and 8 GB.
    [Fact]
    public void Rows_and_columns_that_are_ranges_take_no_lists()
    {
        const int tokens = 8 << 20, blocks = tokens / 64, fewer = tokens / 8;
        long before = GC.GetAllocatedBytesForCurrentThread();
        var dense = BlockLayout.Create(new DensePattern(4, 4, 64), tokens);
        Assert.Equal(4L * blocks * (blocks + 1) / 2, dense.KeptBlocks);
        Assert.Equal(100_001, dense.Row(3, 100_000).Count);
        Assert.Equal([100_000], dense.Row(3, 100_000).Partial.ToArray());
        Assert.Equal(99_999, dense.Row(3, 100_000).Full[^1]);
        var window = BlockLayout.Create(new SlidingWindowPattern(4, 4, windowBlocks: 4000, blockTokens: 64), tokens);
        Assert.Equal((96_001, 99_999), (window.Row(2, 100_000).Full[0], window.Row(2, 100_000).Full[^1]));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 32L << 20);
        var shorter = BlockLayout.Create(new SlidingWindowPattern(4, 4, windowBlocks: 400, blockTokens: 64), fewer);
        Assert.Equal((5_001, 5_399), (shorter.Column(2, 5_000).Full[0], shorter.Column(2, 5_000).Full[^1]));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 40L << 20);
    }

    private static void CheckAgainstPattern(BlockLayout layout, string context)
    {
        var pattern = layout.Pattern;
        bool Kept(int head, int i, int j) => pattern.Keeps(head, i, j) && (!pattern.IsCausal || j <= i);
        var rows = Enumerable.Range(layout.FirstQueryBlock, layout.QueryBlocks).ToArray();
        var columns = Enumerable.Range(0, layout.KeyBlocks).ToArray();
        long kept = 0;
        for (int head = 0; head < layout.Heads; head++)
        {
            foreach (int i in rows)
            {
                var row = layout.Row(head, i);
                kept += row.Count;
                Assert.True(row.Full.ToArray()
                    .SequenceEqual(columns.Where(j => Kept(head, i, j) && !(pattern.IsCausal && i == j))),
                    $"row {i}: {context}");
                Assert.True(row.Partial.ToArray()
                    .SequenceEqual(columns.Where(j => Kept(head, i, j) && pattern.IsCausal && i == j)),
                    $"row {i}: {context}");
            }
            foreach (int j in columns)
            {
                var column = layout.Column(head, j);
                Assert.True(column.Full.ToArray()
                    .SequenceEqual(rows.Where(i => Kept(head, i, j) && !(pattern.IsCausal && i == j))),
                    $"column {j}: {context}");
                Assert.True(column.Partial.ToArray()
                    .SequenceEqual(rows.Where(i => Kept(head, i, j) && pattern.IsCausal && i == j)),
                    $"column {j}: {context}");
            }
        }
        Assert.Equal(kept, layout.KeptBlocks);
        Assert.Equal(kept, Enumerable.Range(0, layout.Heads).Sum(head => layout.ColumnsOf(head).Kept));
        int from = layout.FirstQueryBlock + layout.QueryBlocks / 3, to = from + (layout.KeyBlocks - from) / 2;
        Assert.Equal(Enumerable.Range(from, to - from).Sum(row => layout.Row(layout.Heads - 1, row).Count),
            layout.CountBlocks(layout.Heads - 1, from, to));
    }

    [Theory]
    [InlineData(0, 0, 0, 0)]
    [InlineData(1, 1, 1, 0)]
    [InlineData(16, 16, 1, 0)]
    [InlineData(17, 17, 2, 0)]
    [InlineData(100, 1, 7, 6)]
    [InlineData(100, 4, 7, 6)]
    [InlineData(100, 5, 7, 5)]
    [InlineData(100, 0, 7, 7)]
    [InlineData(96, 16, 6, 5)]
    public void Fewer_queries_are_the_last_rows(int tokens, int queries, int keyBlocks, int firstQueryBlock)
    {
        var layout = BlockLayout.Create(new DensePattern(2, 2, 16), tokens, queries);
        Assert.Equal((keyBlocks, firstQueryBlock, keyBlocks - firstQueryBlock),
            (layout.KeyBlocks, layout.FirstQueryBlock, layout.QueryBlocks));
        Assert.Equal(2L * Enumerable.Range(firstQueryBlock, keyBlocks - firstQueryBlock).Sum(row => row + 1),
            layout.KeptBlocks);
    }

    [Fact]
    public void Threads_that_ask_for_columns_at_once_get_the_same_ones()
    {
        var layout = BlockLayout.Create(new LocalStridePattern(4, 4, 16, 2, 4), 4096);
        var sums = new long[8];
        Parallel.For(0, sums.Length, i =>
        {
            for (int head = 0; head < layout.Heads; head++)
                foreach (int row in layout.ColumnsOf(head).Entries)
                    sums[i] = sums[i] * 31 + row;
        });
        Assert.All(sums, sum => Assert.Equal(sums[0], sum));
        Assert.NotEqual(0, sums[0]);
    }

    [Fact]
    public void Lines_that_do_not_exist_are_refused()
    {
        var layout = BlockLayout.Create(new DensePattern(2, 2, 16), 100, 20);
        foreach (var (head, block) in new[] { (0, 4), (1, 4), (0, 7), (2, 5), (-1, 5) })
            Assert.Throws<ArgumentOutOfRangeException>(() => layout.Row(head, block).Count);
        foreach (var (head, block) in new[] { (0, -1), (1, 7), (2, 0) })
            Assert.Throws<ArgumentOutOfRangeException>(() => layout.Column(head, block).Count);
    }

    [Theory]
    [InlineData(-1, null, "-1 key tokens")]
    [InlineData(10, 11, "11 query tokens and 10 key tokens")]
    [InlineData(10, -1, "-1 query tokens")]
    public void Bad_counts_are_refused_with_their_value(int tokens, int? queries, string message) =>
        Assert.Contains(message, Assert.ThrowsAny<ArgumentException>(() =>
        BlockLayout.Create(new DensePattern(1, 1), tokens, queries)).Message);

    [Fact]
    public void A_pattern_that_breaks_its_own_contract_is_refused()
    {
        foreach (int[] row in new int[][] { [1, 0], [0, 0], [-1], [3], [5] })
        {
            var e = Assert.ThrowsAny<ArgumentException>(() => BlockLayout.Create(new BrokenPattern(row), 64));
            Assert.Contains("query block 2", e.Message);
        }
    }

    private sealed class BrokenPattern(int[] row) : AttentionPattern(1, 1, 16, isCausal: true, perQueryHead: false)
    {
        public override bool Keeps(int head, int queryBlock, int keyBlock) => false;

        public override void AppendRow(int head, int queryBlock, int keyBlockEnd, BlockRowBuilder builder)
        {
            foreach (int keyBlock in queryBlock == 2 ? row : [])
                builder.Add(keyBlock);
        }
    }
}

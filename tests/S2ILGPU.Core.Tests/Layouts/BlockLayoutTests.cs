using S2ILGPU.Core.Tests.Patterns;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using Xunit;

namespace S2ILGPU.Core.Tests.Layouts;

public sealed class BlockLayoutTests
{
    [Fact]
    public void Csr_matches_the_golden_table()
    {
        var layout = BlockLayout.Create(new LocalStridePattern(4, 4, 16, localBlocks: 2, verticalStride: 4)
            .SliceHeads(1..2), tokens: 128);
        Assert.Equal([0, 1, 3, 5, 7, 9, 12, 15, 18], layout.RowStarts.ToArray());
        Assert.Equal([0, 0, 1, 1, 2, 2, 3, 3, 4, 3, 4, 5, 3, 5, 6, 3, 6, 7], layout.Columns.ToArray());
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
        foreach (var pattern in new AttentionPattern[] { new DensePattern(1, 1, 64),
            new LocalStridePattern(8, 8, 64, localBlocks: 16, verticalStride: 8) })
            Assert.Contains("at most 2147483591 kept blocks",
                Assert.Throws<ArgumentException>(() => BlockLayout.Create(pattern, int.MaxValue)).Message);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1L << 30);
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
        Assert.Equal((kept, kept, kept), (layout.KeptBlocks, layout.Columns.Length, layout.Rows.Length));
        Assert.Equal(layout.Heads * layout.QueryBlocks + 1, layout.RowStarts.Length);
        Assert.Equal(layout.Heads * layout.KeyBlocks + 1, layout.ColumnStarts.Length);
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
            foreach (int row in layout.Rows)
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

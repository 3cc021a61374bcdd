using S2ILGPU.Engines;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Layouts;
using S2ILGPU.Lists;
using S2ILGPU.Patterns;
using S2ILGPU.TestSupport;
using S2ILGPU.Tiles;
using S2ILGPU.Variants;
using Xunit;

namespace S2ILGPU.Tests.Attention;

/// <summary>The lists of a batch, taken apart again, are the layout: every query sees each of its keys in exactly one
/// column, and nothing else.</summary>
public sealed class TileListTests
{
    private readonly Random _random = Seeds.NewRandom();

    [Theory]
    [InlineData(64)]
    [InlineData(128)]
    public void Lists_of_queries_are_the_layout(int rowsPerTile)
    {
        TestScale.SkipUnlessDrawn(6);
        for (int n = 0; n < 60; n++)
        {
            var problem = Problem();
            var lists = Builder(problem).OfQueries(rowsPerTile);
            Check(problem, lists, rowsPerTile, (row, column) => (row, column), rowsAreKeys: false);
        }
    }

    [Fact]
    public void Lists_of_keys_are_the_layout()
    {
        TestScale.SkipUnlessDrawn(2);
        for (int n = 0; n < 60; n++)
        {
            var problem = Problem();
            Check(problem, Builder(problem).OfKeys(), 64, (row, column) => (column, row), rowsAreKeys: true);
        }
    }

    [Fact]
    public void Lists_that_kernels_cannot_index_are_refused_with_the_values()
    {
        var layout = BlockLayout.Create(new DensePattern(4, 2, 16), 256);
        var sequences = SequenceBatch.Uniform(1, 256, 256);
        int entries = new TileListBuilder([layout], sequences.Sequences).OfKeys().Entries.Length;
        new TileListBuilder([layout], sequences.Sequences) { MaxEntries = entries }.OfKeys();
        foreach (int limit in (int[])[entries - 1, 3])
        {
            var builder = new TileListBuilder([layout], sequences.Sequences) { MaxEntries = limit };
            string message = Assert.Throws<ArgumentException>(() => builder.OfKeys()).Message;
            Assert.Contains($"more than {limit} list entries", message);
            Assert.Contains("up to 256 keys, 4 heads, blocks of 16 tokens", message);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Lists_of_last_queries_are_the_layout(bool inGroups)
    {
        for (int n = 0; n < 60; n++)
        {
            var problem = Problem();
            problem =
                problem with { QueryCounts =
                [.. problem.KeyCounts.Select(keys => Math.Min(keys, _random.Next(4) == 0 ? 0 : 1))] };
            var pattern = problem.Layout().Pattern;
            int group = inGroups && pattern.PatternHeads == pattern.KeyValueHeads
                ? pattern.QueryHeads / pattern.KeyValueHeads : 1;
            Check(problem, Builder(problem).OfLastQueries(group, null), 1, (row, column) => (row, column),
                rowsAreKeys: false, group);
        }
    }

    [Fact]
    public void Pages_are_found_by_head_and_position()
    {
        for (int n = 0; n < 20; n++)
        {
            var problem = Problem() with { LayoutPerSequence = true };
            var sequences = problem.Sequences().Sequences;
            var geometry = TileGeometry.Of(problem.BlockTokens);
            const int pageBlocks = 1000;
            var lists = Builder(problem).OfQueries(64, pageBlocks);
            foreach (var row in lists.Rows)
            {
                int s = SequenceOf(sequences, row, areKeys: false), group = problem.QueryHeads / problem.KeyValueHeads;
                Assert.Equal((s * problem.KeyValueHeads + row.Head / group) * pageBlocks, row.ColumnBase);
                for (int e = row.Start * geometry.EntriesPerTile; e < row.End * geometry.EntriesPerTile; e++)
                    Assert.Equal(lists.Positions[e], lists.Entries[e] * geometry.BlockColumns);
            }
        }
    }

    [Fact]
    public void Long_lists_come_first_and_sequences_of_one_shape_share_them()
    {
        var pattern = PatternCatalog.Create("L2 s3", 4, 2, 16);
        var layout = BlockLayout.Create(pattern, 1000);
        var one = new TileListBuilder([layout], SequenceBatch.Uniform(1, 1000, 1000).Sequences).OfQueries(64);
        var eight = new TileListBuilder([layout], SequenceBatch.Uniform(8, 1000, 1000).Sequences).OfQueries(64);
        Assert.Equal(one.Entries, eight.Entries);
        Assert.Equal(8 * one.Rows.Length, eight.Rows.Length);
        Assert.Equal(8 * one.ColumnTiles, eight.ColumnTiles);
        for (int n = 1; n < eight.Rows.Length; n++)
            Assert.True(eight.Rows[n - 1].End - eight.Rows[n - 1].Start >= eight.Rows[n].End - eight.Rows[n].Start);
    }

    [Fact]
    public void Layouts_that_do_not_cover_their_sequences_are_refused()
    {
        var pattern = PatternCatalog.Create("L2 s3", 4, 2, 16);
        var layout = BlockLayout.Create(pattern, 100, 10);
        Assert.Contains("100 tokens",
            Assert.Throws<ArgumentException>(() =>
            new TileListBuilder([layout], SequenceBatch.Uniform(1, 1, 101).Sequences)).Message);
        Assert.Contains("query block",
            Assert.Throws<ArgumentException>(() =>
            new TileListBuilder([layout], SequenceBatch.Uniform(1, 50, 100).Sequences)).Message);
        Assert.Contains("2 layouts for 3 sequences",
            Assert.Throws<ArgumentException>(() =>
            new TileListBuilder([layout, layout], SequenceBatch.Uniform(3, 1, 100).Sequences)).Message);
        var other = BlockLayout.Create(PatternCatalog.Create("L2 s3", 4, 2, 32), 100, 10);
        Assert.Contains("differ", Assert.Throws<ArgumentException>(() =>
            new TileListBuilder([layout, other], SequenceBatch.Uniform(2, 1, 100).Sequences)).Message);
        Assert.Contains("not 24", Assert.Throws<ArgumentException>(() => TileGeometry.Of(24)).Message);
    }

    private AttentionCase Problem() =>
        AttentionCase.CreateRandom(_random, 4_000_000) with { LayoutPerSequence = _random.Next(3) == 0 };

    private static TileListBuilder Builder(AttentionCase problem) =>
        new(problem.Layouts() ?? [problem.Layout()], problem.Sequences().Sequences);

    // Counts in how many columns of its lists each (query, key) of each head appears; a group of heads shares the lists
    // of a decoding row.
    private static void Check(AttentionCase problem, TileLists lists, int rowsPerTile, Func<int, int,
        (int Query, int Key)> order, bool rowsAreKeys, int groupHeads = 1)
    {
        var sequences = problem.Sequences().Sequences.ToArray();
        var (first, layouts) = (problem.Layout(), problem.Layouts());
        var counts = sequences.Select(s => new byte[problem.QueryHeads, s.QueryCount, s.KeyCount]).ToArray();
        var geometry = TileGeometry.Of(problem.BlockTokens);
        foreach (var row in lists.Rows)
        {
            int s = SequenceOf(sequences, row, rowsAreKeys);
            for (int tile = row.Start; tile < row.End; tile++)
                for (int i = 0; i < rowsPerTile; i++)
                    if (row.FirstRow + i is var tensorRow && tensorRow >= row.BeginRow && tensorRow < row.EndRow)
                        for (int c = 0; c < 64; c++)
                            if (Sees(problem, first.IsCausal, lists, geometry, row, tile, i, c, rowsAreKeys)
                                is { } seen)
                            {
                                var (query, key) = order(row.FirstPosition + i, seen.Position);
                                for (int g = 0; g < groupHeads; g++)
                                    counts[s][rowsAreKeys ? seen.Head : row.Head + g,
                                        query - sequences[s].FirstQueryPosition, key]++;
                            }
        }
        for (int s = 0; s < sequences.Length; s++)
        {
            var layout = layouts?[s] ?? first;
            for (int head = 0; head < problem.QueryHeads; head++)
                for (int i = 0; i < sequences[s].QueryCount; i++)
                    for (int j = 0; j < sequences[s].KeyCount; j++)
                    {
                        int position = sequences[s].FirstQueryPosition + i, block = layout.BlockTokens;
                        bool keeps = layout.Pattern.Keeps(layout.Pattern.PatternHeadOf(head), position / block,
                            j / block) && (!layout.IsCausal || j <= position);
                        Assert.True(counts[s][head, i, j] == (keeps ? 1 : 0),
                            $"{problem}: sequence {s}, head {head}, query {i}, key {j}: in {counts[s][head, i, j]} "
                            + $"columns; {Seeds.Text}");
                    }
        }
    }

    // The position and head of a column that a row sees, by the rules that kernels follow; null when it sees it not.
    private static (int Position, int Head)? Sees(AttentionCase problem, bool isCausal, TileLists lists,
        TileGeometry geometry, in RowTile row, int tile, int i, int c, bool rowsAreKeys)
    {
        int e = tile * geometry.EntriesPerTile + c / geometry.BlockColumns,
            position = lists.Positions[e] + c % geometry.BlockColumns;
        int block = row.ColumnBase + lists.Entries[e], packed = block / geometry.EntriesPerTile;
        var columns = lists.Columns[packed];
        int columnRow = columns.FirstRow + block % geometry.EntriesPerTile * geometry.BlockColumns
            + c % geometry.BlockColumns;
        Assert.Equal(columns.FirstPosition + columnRow - columns.FirstRow, position);
        Assert.Equal(packed, columns.PackedTile);
        bool exists = columnRow >= columns.BeginRow && columnRow < columns.EndRow;
        if (tile >= row.FullEnd)
        {
            bool ordered = !isCausal
                || (rowsAreKeys ? position >= row.FirstPosition + i : position <= row.FirstPosition + i);
            bool kept = (lists.Masks[tile] >> (4 * (i / 16) + c / 16) & 1) != 0;
            if (!kept || !ordered || position >= row.ColumnEnd)
                return null;
        }
        // Queries outside the sequence have a log-sum-exp of +infinity, so their probability is 0; keys outside must be
        // cut by the lists.
        if (rowsAreKeys && !exists)
            return null;
        Assert.True(exists, $"{problem}: a row sees key {position}, which is not in the sequence; {Seeds.Text}");
        return (position, columns.Head);
    }

    private static int SequenceOf(ReadOnlySpan<Sequence> sequences, in RowTile row, bool areKeys)
    {
        for (int s = 0; s < sequences.Length; s++)
        {
            var sequence = sequences[s];
            var (start, count) = areKeys ? (sequence.KeyStart, sequence.KeyCount)
                : (sequence.QueryStart, sequence.QueryCount);
            if (sequence.Batch == row.Batch && start == row.BeginRow && start + count == row.EndRow && count > 0)
                return s;
        }
        throw new InvalidOperationException("a row tile of no sequence");
    }
}

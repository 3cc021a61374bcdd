using S2ILGPU.Cpu.Attention;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu.Attention;

/// <summary>Tiles of keys that queries see, and walks that begin in the middle, against the pattern.</summary>
public sealed class VisibleTilesTests
{
    [Theory]
    [InlineData("L2 s3", 16)]
    [InlineData("L2 s3", 128)]
    [InlineData("random", 32)]
    [InlineData("random mostly empty", 64)]
    [InlineData("L2 s3 non-causal", 64)]
    public void Tiles_are_those_that_the_pattern_keeps(string name, int blockTokens)
    {
        var random = Seeds.NewRandom();
        int tokens = random.Next(1, 9000), queries = random.Next(1, tokens + 1);
        var pattern = PatternCatalog.Create(name, 2, 2, blockTokens);
        var layout = BlockLayout.Create(pattern, tokens, queries);
        var found = new VisibleTiles();
        for (int trial = 0; trial < 20; trial++)
        {
            int first = random.Next(layout.FirstQueryBlock, layout.KeyBlocks),
                end = random.Next(first + 1, Math.Min(layout.KeyBlocks, first + 40) + 1),
                tiles = random.Next(1, (tokens - 1) / 64 + 2);
            int[] heads = trial % 2 == 0 ? [trial / 2 % 2] : [0, 1];
            found.Clear(tiles);
            foreach (int head in heads)
                found.Add(layout, head, first, end);
            var expected = Enumerable.Range(0, tiles).Where(tile => heads.Any(head =>
                Enumerable.Range(first, end - first).Any(query => Enumerable.Range(tile * 64 / blockTokens,
                Math.Max(1, 64 / blockTokens)).Any(key => key < layout.KeyBlocks
                && (!layout.IsCausal || key <= query) && pattern.Keeps(head, query, key)))));
            var actual = new List<int>();
            for (int tile = found.Next(0); tile < tiles; tile = found.Next(tile + 1))
                actual.Add(tile);
            Assert.Equal(expected, actual);
            Assert.Equal(tiles, found.Next(tiles));
        }
    }

    [Fact]
    public void Unions_begin_at_any_block()
    {
        var random = Seeds.NewRandom();
        for (int trial = 0; trial < 200; trial++)
        {
            int rows = random.Next(1, BlockUnion.MaxRows + 1), from = random.Next(70);
            var lists = Enumerable.Range(0, rows).Select(_ =>
                Enumerable.Range(0, 64).Where(_ => random.Next(4) == 0).ToArray()).ToArray();
            var lines = new BlockLinesBuilder(rows, 64, capacity: 0);
            foreach (int[] list in lists)
            {
                var row = new BlockRowBuilder();
                Array.ForEach(list, row.Add);
                lines.Add(row);
            }
            var union = new BlockUnion(lines.Build(), 0, rows);
            union.SkipTo(from);
            var expected = lists.SelectMany(list => list).Where(block => block >= from).Distinct().Order();
            var actual = new List<int>();
            while (union.MoveNext())
            {
                var (block, mask) = (union.Block, union.Mask);
                actual.Add(block);
                Assert.Equal(Enumerable.Range(0, rows).Where(row => lists[row].Contains(block)),
                    Enumerable.Range(0, rows).Where(row => (mask >> row & 1) != 0));
            }
            Assert.Equal(expected, actual);
        }
    }
}

using S2ILGPU.Core.Tests.Patterns;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using Xunit;

namespace S2ILGPU.Core.Tests.Layouts;

public sealed class MergedTilesTests
{
    [Theory]
    [InlineData(0, new[] { 32, 48, 64, 64, 0, 0, 0, 0 })]
    [InlineData(1, new[] { 0, 0, 0, 64, 32, 48, 64, 64 })]
    public void Four_blocks_of_16_in_a_64_row_tile_match_the_golden_table(int tile, int[] rowsUsed)
    {
        var tiles =
            MergedTiles.OfRows(
            BlockLayout.Create(new LocalStridePattern(4, 4, 16, localBlocks: 2, verticalStride: 4), 128), 4);
        var merged = tiles.Tile(1, tile);
        var actual = new int[8];
        for (int e = 0; e < merged.Partial.Length; e++)
            actual[merged.Partial[e]] = tiles.RowsUsed(merged.PartialMasks[e]);
        foreach (int block in merged.Full)
            actual[block] = tiles.RowsUsed(tiles.LinesOf(tile));
        Assert.Equal(rowsUsed, actual);
    }

    [Fact]
    public void Masks_are_what_the_pattern_keeps_whether_cache_efficient_or_not()
    {
        for (int round = 0; round < 20; round++)
        {
            var random = new RandomPatterns();
            foreach (var pattern in random.OneOfEach())
            {
                int tokens = random.Below(RandomPatterns.MaxBlocks * pattern.BlockTokens + 1),
                    queries = random.Below(tokens + 1), lines = 1 + random.Below(MergedTiles.MaxLines);
                var layout = BlockLayout.Create(pattern, tokens, queries);
                string context = $"{pattern}, {tokens} tokens, {queries} queries, {lines} lines, {random.Seed}";
                Check(MergedTiles.OfRows(layout, lines), context);
                Check(MergedTiles.OfColumns(layout, lines), context);
            }
        }
    }

    private static void Check(MergedTiles tiles, string context)
    {
        var layout = tiles.Layout;
        int firstLine = tiles.MergesRows ? layout.FirstQueryBlock : 0, firstEntry = tiles.MergesRows ? 0
            : layout.FirstQueryBlock;
        if (firstLine < layout.KeyBlocks)
            Assert.Equal((firstLine / tiles.LinesPerTile, (layout.KeyBlocks - 1) / tiles.LinesPerTile + 1),
                (tiles.FirstTile, tiles.FirstTile + tiles.Tiles));
        else
            Assert.Equal(0, tiles.Tiles);
        for (int head = 0; head < layout.Heads; head++)
            for (int tile = tiles.FirstTile; tile < tiles.FirstTile + tiles.Tiles; tile++)
            {
                var merged = tiles.Tile(head, tile);
                var partial = new Dictionary<int, int>();
                for (int e = 0; e < merged.Partial.Length; e++)
                    partial.Add(merged.Partial[e], merged.PartialMasks[e]);
                var full = merged.Full.ToArray();
                Assert.True(full.SequenceEqual(full.Order()) && partial.Keys.SequenceEqual(partial.Keys.Order()),
                    $"order of tile {tile}: {context}");
                for (int entry = firstEntry; entry < layout.KeyBlocks; entry++)
                {
                    var (mask, all, diagonal) = Expected(tiles, head, tile, entry);
                    bool isFull = mask != 0 && mask == all && !diagonal;
                    Assert.True(full.Contains(entry) == isFull, $"tile {tile}, block {entry}: {context}");
                    Assert.True(partial.GetValueOrDefault(entry) == (isFull ? 0 : mask),
                        $"tile {tile}, block {entry}: {context}");
                }
                Assert.Equal(Expected(tiles, head, tile, firstEntry).All, tiles.LinesOf(tile));
            }
    }

    private static (int Mask, int All, bool Diagonal) Expected(MergedTiles tiles, int head, int tile, int entry)
    {
        var layout = tiles.Layout;
        int mask = 0, all = 0;
        bool diagonal = false;
        for (int r = 0; r < tiles.LinesPerTile; r++)
        {
            int line = tile * tiles.LinesPerTile + r;
            var (i, j) = tiles.MergesRows ? (line, entry) : (entry, line);
            if (line < (tiles.MergesRows ? layout.FirstQueryBlock : 0) || line >= layout.KeyBlocks)
                continue;
            all |= 1 << r;
            diagonal |= layout.IsCausal && i == j;
            if (layout.Pattern.Keeps(head, i, j))
                mask |= 1 << r;
        }
        return (mask, all, diagonal);
    }

    [Fact]
    public void Bad_tiles_are_refused()
    {
        var layout = BlockLayout.Create(new DensePattern(1, 1, 16), 128);
        Assert.Contains("got 9", Assert.ThrowsAny<ArgumentException>(() => MergedTiles.OfRows(layout, 9)).Message);
        Assert.Contains("got 0", Assert.ThrowsAny<ArgumentException>(() => MergedTiles.OfColumns(layout, 0)).Message);
        var tiles = MergedTiles.OfRows(layout, 4);
        Assert.Throws<ArgumentOutOfRangeException>(() => tiles.Tile(0, 2).Full.Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => tiles.Tile(1, 0).Full.Length);
    }
}

using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Layouts;

/// <summary>Lines of blocks, both ways, against plain lists.</summary>
public sealed class BlockLinesTests
{
    // Of few and of many ranges among lists with gaps, so that the list of all blocks is made and is not.
    [Fact]
    public void Lines_and_their_transposition_are_what_was_added()
    {
        var random = Seeds.NewRandom();
        for (int trial = 0; trial < 300; trial++)
        {
            int lines = random.Next(0, 40), blocks = random.Next(1, 60), first = random.Next(5),
                ranges = random.Next(0, 5);
            int[][] expected = [.. Enumerable.Range(0, lines).Select(_ => Line(random, blocks, ranges))];
            var actual = Build(expected, blocks);
            Assert.Equal((lines, (long)expected.Sum(line => line.Length)), (actual.Count, actual.Kept));
            Assert.InRange(actual.StoredEntries, 0, 2 * expected.Sum(line => line.Length));
            long before = 0;
            for (int line = 0; line < lines; line++)
            {
                Assert.Equal(expected[line], actual[line].ToArray());
                Assert.Equal(before, actual.KeptBefore(line));
                before += expected[line].Length;
                var (start, end) = actual.At(line);
                Assert.Equal(expected[line], actual.Entries[start..end].ToArray());
            }
            var columns = actual.Transpose(first, blocks);
            Assert.Equal((blocks, actual.Kept), (columns.Count, columns.Kept));
            Assert.InRange(columns.StoredEntries, 0, actual.Kept);
            for (int block = 0; block < blocks; block++)
                Assert.Equal(Enumerable.Range(0, lines).Where(line => expected[line].Contains(block))
                    .Select(line => first + line), columns[block].ToArray());
            Assert.True(actual.SameAs(Build(expected, blocks)), Seeds.Text);
            if (lines == 0)
                continue;
            expected[random.Next(lines)] = Line(random, blocks, ranges);
            var other = Build(expected, blocks);
            Assert.Equal(Enumerable.Range(0, lines).All(line => actual[line].SequenceEqual(other[line])),
                actual.SameAs(other));
        }
    }

    private static int[] Line(Random random, int blocks, int ranges)
    {
        if (random.Next(5) >= ranges)
            return [.. Enumerable.Range(0, blocks).Where(_ => random.Next(3) == 0)];
        int start = random.Next(blocks + 1);
        return [.. Enumerable.Range(start, random.Next(blocks - start + 1))];
    }

    // Ranges block by block, or as a range, which is the same.
    private static BlockLines Build(int[][] lists, int blocks)
    {
        var lines = new BlockLinesBuilder(lists.Length, blocks, capacity: lists.Length % 3);
        var row = new BlockRowBuilder(capacity: 1);
        for (int line = 0; line < lists.Length; line++)
        {
            row.Clear();
            int[] list = lists[line];
            if (line % 2 == 0 && list.Length > 0 && list[^1] - list[0] + 1 == list.Length)
            {
                row.AddRange(list[0], list[0] + list.Length / 2);
                row.AddRange(list[0] + list.Length / 2, list[^1] + 1);
            }
            else
                Array.ForEach(list, row.Add);
            lines.Add(row);
        }
        return lines.Build();
    }
}

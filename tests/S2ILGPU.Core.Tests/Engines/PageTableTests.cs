using S2ILGPU.Engines;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Engines;

/// <summary>A copy of a page table follows its writes.</summary>
public sealed class PageTableTests
{
    private const int Sequences = 3, Heads = 2, Blocks = 500;

    [Fact]
    public void Writes_since_a_version_bring_a_copy_up_to_date()
    {
        var random = Seeds.NewRandom();
        var table = new PageTable(Sequences, Heads, Blocks);
        int[] copy = Copy(table);
        long version = 0;
        int followed = 0, missed = 0;
        for (int step = 0; step < 200; step++)
        {
            for (int n = random.Next(step % 20 == 0 ? 3000 : 100); n > 0; n--)
                table[random.Next(Sequences), random.Next(Heads), random.Next(Blocks)] = random.Next(-1, 1000);
            if (table.TryGetWritesSince(version, out var entries))
            {
                Assert.Equal(table.Version - version, entries.Length);
                foreach (int at in entries)
                    copy[at] = table[at / Blocks / Heads, at / Blocks % Heads, at % Blocks];
                followed++;
            }
            else
            {
                Assert.True(table.Version - version > Sequences * Heads * Blocks / 8);
                copy = Copy(table);
                missed++;
            }
            version = table.Version;
            Assert.Equal(Copy(table), copy);
        }
        Assert.True(followed > 100 && missed > 0, $"{followed} steps followed, {missed} missed; {Seeds.Text}");
    }

    [Fact]
    public void Versions_that_never_were_are_refused()
    {
        var table = new PageTable(1, 1, 1) { [0, 0, 0] = 5 };
        Assert.Contains("0 to 1", Assert.Throws<ArgumentOutOfRangeException>(() =>
            table.TryGetWritesSince(2, out _)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => table.TryGetWritesSince(-1, out _));
    }

    private static int[] Copy(PageTable table)
    {
        var pages = new List<int>();
        for (int s = 0; s < Sequences; s++)
            for (int head = 0; head < Heads; head++)
                pages.AddRange(table.Row(s, head));
        return [.. pages];
    }
}

using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>Windows that are counted in tokens, for engines that have them: around the edges of blocks and of tiles,
/// with whole sequences and with the last rows alone.</summary>
public abstract class TokenWindowTests(Func<IEngine> create, ElementType? type = null) : AttentionTest(create, type)
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(100)]
    [InlineData(1000)]
    public void Edges(int window)
    {
        TestScale.SkipUnlessDrawn(2);
        Both(window, [16, 32, 64, 128], [1, 16, 17, 130, 200]);
    }

    [Fact]
    public void Random_windows()
    {
        for (int round = 0; round < 4; round++)
            Both(Random.Next(1, 180), [Random.Pick(16, 32, 64)], [Random.Next(1, 200), Random.Next(1, 200)]);
    }

    [Fact]
    public void Damaged_numbers_beyond_the_window_reach_nothing()
    {
        foreach (int window in (int[])[3, 40])
            CheckForward(Case(window, 16, [90, 33]) with { Damages = 2 });
    }

    [Fact]
    public void Layouts_of_the_last_rows()
    {
        foreach (int window in (int[])[1, 20, 70])
            CheckForward(Case(window, 16, [90, 32, 50, 129, 20]) with
            {
                QueryCounts = [1, 5, 17, 64, 0],
                LayoutPerSequence = true,
                PaddingRows = 3,
            });
    }

    private static AttentionCase Case(int window, int blockTokens, int[] counts) => new()
    {
        Pattern = $"{PatternCatalog.TokenWindow}{window}",
        QueryHeads = 4,
        KeyValueHeads = 2,
        HeadDim = 16,
        BlockTokens = blockTokens,
        QueryCounts = counts,
        KeyCounts = counts,
        Batching = Batching.Packed,
    };

    private void Both(int window, int[] blockTokens, int[] counts)
    {
        foreach (int block in blockTokens)
        {
            CheckForward(Case(window, block, counts));
            CheckBackward(Case(window, block, counts));
        }
    }
}

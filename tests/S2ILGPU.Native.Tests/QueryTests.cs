using System.Text;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.TestSupport;
using Xunit;
using static S2ILGPU.Native.Tests.NativeApi;

namespace S2ILGPU.Native.Tests;

/// <summary>Patterns and layouts that C makes are those of the library.</summary>
public sealed unsafe class QueryTests
{
    private static readonly NativeHeads s_heads =
        new() { QueryHeads = 8, KeyValueHeads = 4, BlockTokens = 32, IsCausal = 1 };

    [Fact]
    public void Local_stride_takes_every_parameter()
    {
        foreach (int causal in (int[])[0, 1])
        {
            var heads = s_heads with { IsCausal = causal };
            var stripes = new NativeStripes { HeadOffset = 3, DenseHeads = 1, SlideByQueryHead = 1 };
            ulong pattern;
            Check(Api.PatternLocalStride(&heads, 2, 5, &stripes, &pattern));
            CheckIs(new LocalStridePattern(8, 4, 32, 2, 5, new StripeOptions
            {
                HeadOffset = 3,
                DenseHeads = 1,
                SlideByQueryHead = true,
            }, causal == 1), pattern);
            stripes = new NativeStripes { HomogeneousHeads = 1 };
            Check(Api.PatternLocalStride(&heads, 2, 5, &stripes, &pattern));
            CheckIs(new LocalStridePattern(8, 4, 32, 2, 5, new StripeOptions { HomogeneousHeads = true }, causal == 1),
                pattern);
        }
    }

    [Fact]
    public void Other_patterns_are_the_library()
    {
        var heads = s_heads;
        ulong dense, window, twoRange, slice, both;
        Check(Api.PatternDense(&heads, &dense));
        CheckIs(new DensePattern(8, 4, 32), dense);
        Check(Api.PatternSlidingWindow(&heads, 3, 1, &window));
        var windowPattern = new SlidingWindowPattern(8, 4, 3, 1, 32);
        var ranges = new NativeTwoRange { LocalBlocks = 1, NearBlocks = 4, NearStride = 2, FarStride = 4 };
        Check(Api.PatternTwoRange(&heads, &ranges, null, &twoRange));
        var twoRangePattern = new TwoRangePattern(8, 4, 1, 4, 2, 4, 32);
        Check(Api.PatternCombine(window, twoRange, 1, &both));
        CheckIs(windowPattern | twoRangePattern, both);
        Check(Api.PatternCombine(window, twoRange, 0, &both));
        CheckIs(windowPattern & twoRangePattern, both);
        Check(Api.PatternSliceHeads(twoRange, 2, 6, &slice));
        CheckIs(twoRangePattern.SliceHeads(2..6), slice);
        CheckIs(windowPattern, window);
        CheckIs(twoRangePattern, twoRange);
    }

    [Fact]
    public void Tables_are_copied()
    {
        var random = Seeds.NewRandom();
        var heads = s_heads with { IsCausal = 0 };
        var kept = new bool[8, 12, 12];
        var bytes = new byte[kept.Length];
        for (int n = 0; n < bytes.Length; n++)
            kept[n / 144, n / 12 % 12, n % 12] = (bytes[n] = (byte)random.Next(2)) == 1;
        ulong pattern;
        fixed (byte* table = bytes)
            Check(Api.PatternTable(&heads, table, 8, 12, &pattern));
        Array.Clear(bytes);
        CheckIs(new CustomPattern(kept, 8, 4, 32, isCausal: false), pattern);
    }

    [Fact]
    public void Layouts_of_the_last_queries_have_their_rows_only()
    {
        ulong pattern = LocalStride(), layout;
        Check(Api.LayoutCreate(pattern, 100, 20, &layout));
        CheckIs(BlockLayout.Create(new LocalStridePattern(2, 1, 16, 1, 2), 100, 20), layout);
        int start;
        CheckFails(Status.Argument, "got room for 1", Api.LayoutRows(layout, &start, 1, null, 0));
        Release(pattern, layout);
    }

    [Fact]
    public void Texts_are_cut_at_whole_characters()
    {
        ulong engine = NativeApi.Engine();
        long length;
        Check(Api.Describe(engine, null, 0, &length));
        var buffer = new byte[8];
        fixed (byte* text = buffer)
        {
            Check(Api.Describe(engine, text, 5, &length));
            Assert.Equal("CPU "u8.ToArray(), buffer[..4]);
            Assert.Equal(0, buffer[4]);
            Check(Api.Devices(text, 1, &length));
            Assert.Equal(0, buffer[0]);
            Assert.True(length >= 3);
            // a failure that quotes a name of two-byte characters
            fixed (byte* name = "éé\0"u8)
                Assert.Equal(Status.Argument, (Status)Api.EngineCreate(name, 0, &engine));
            int at = Encoding.UTF8.GetBytes(LastError).AsSpan().IndexOf((byte)0xC3);
            var message = new byte[at + 2];
            fixed (byte* cut = message)
                Check(Api.LastError(cut, message.Length, &length));
            Assert.Equal(0, message[at]); // half a character is left out
        }
    }

    // Releases the pattern.
    private static void CheckIs(AttentionPattern expected, ulong pattern)
    {
        NativePatternInfo info;
        Check(Api.PatternInfo(pattern, &info));
        Assert.Equal(new NativePatternInfo
        {
            QueryHeads = expected.QueryHeads,
            KeyValueHeads = expected.KeyValueHeads,
            PatternHeads = expected.PatternHeads,
            BlockTokens = expected.BlockTokens,
            IsCausal = expected.IsCausal ? 1 : 0,
            IsCacheEfficient = expected.IsCacheEfficient ? 1 : 0,
            MaxBlocks = expected.MaxBlocks,
        }, info);
        int tokens = 32 * 11 + 5;
        ulong layout;
        Check(Api.LayoutCreate(pattern, tokens, -1, &layout));
        CheckIs(BlockLayout.Create(expected, tokens), layout);
        Release(layout);
    }

    private static void CheckIs(BlockLayout expected, ulong layout)
    {
        NativeLayoutInfo info;
        NativeLayoutReport report;
        Check(Api.LayoutInfo(layout, &info));
        Check(Api.LayoutReport(layout, &report));
        Assert.Equal((expected.Tokens, expected.Heads, expected.KeyBlocks, expected.FirstQueryBlock,
            expected.QueryBlocks, expected.KeptBlocks), (info.Tokens, info.Heads, info.KeyBlocks, info.FirstQueryBlock,
            info.QueryBlocks, info.KeptBlocks));
        int[] starts = new int[info.Heads * info.QueryBlocks + 1], columns = new int[info.KeptBlocks];
        fixed (int* s = starts, c = columns)
            Check(Api.LayoutRows(layout, s, starts.Length, c, columns.Length));
        Assert.Equal(0, starts[0]);
        for (int row = 0; row < starts.Length - 1; row++)
        {
            var blocks = expected.Row(row / info.QueryBlocks, info.FirstQueryBlock + row % info.QueryBlocks);
            Assert.Equal((int[])[.. blocks.Full, .. blocks.Partial], columns[starts[row]..starts[row + 1]]);
        }
        Assert.Equal(info.KeptBlocks, starts[^1]);
        var expectedReport = PatternReport.Of(expected);
        Assert.Equal((expectedReport.KeptBlocks, expectedReport.DenseBlocks, expectedReport.EmptyRows,
            expectedReport.IsCacheEfficient, expectedReport.Coverage.IsComplete), (report.KeptBlocks,
            report.DenseBlocks, report.EmptyRows, report.IsCacheEfficient == 1, report.IsCovered == 1));
    }
}

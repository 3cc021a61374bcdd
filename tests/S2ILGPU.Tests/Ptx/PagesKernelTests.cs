using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Memory;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.TestSupport.Ptx;
using S2ILGPU.Tiles;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>The PTX of the kernel that writes pages of Int8, executed: bit for bit what the rule says.</summary>
public sealed class PagesKernelTests
{
    private const int Threads = 64, Groups = 3, Heads = 2, HeadDim = 72, BlockTokens = 16, Tokens = 37;

    // One page more than blocks; the last block of the last head has none.
    private const int Blocks = 3, Pages = Heads * Blocks + 1;

    [Theory]
    [InlineData(typeof(StoredSingle))]
    [InlineData(typeof(StoredBFloat16))]
    [InlineData(typeof(StoredHalf))]
    public void Int8_rows_have_the_bits_of_the_rule(Type stored)
    {
        var type = stored == typeof(StoredSingle) ? ElementType.Float32
            : stored == typeof(StoredBFloat16) ? ElementType.BFloat16 : ElementType.Float16;
        var random = Seeds.NewRandom();
        var rows = new Operand([.. Enumerable.Range(0, Tokens * Heads).SelectMany(row => Row(random, row))], type);
        int[] table = [.. Enumerable.Range(0, Pages)];
        random.Shuffle(table);
        table = [.. table[..(Heads * Blocks)]];
        table[^1] = -1;
        const int pageWords = BlockTokens * (HeadDim / 4 + 1);
        int[] actual = AttentionData.Untouched<int>(Pages * pageWords),
            expected = AttentionData.Untouched<int>(Pages * pageWords);
        Write(rows, table, expected, pageWords);
        var method = typeof(PagesKernel).GetMethod(nameof(PagesKernel.WriteInt8))!.MakeGenericMethod(stored);
        new InterpretedKernel(method, Threads) { IsPortable = true }.Launch(new PtxDim(Groups), default, a => a
            .View("Sequences", (NewRows[])[new NewRows { Count = Tokens, FirstPosition = 5 }]).View("Table", table)
            .View("Source", PortableKeys.Words(rows, type)).View("Destination", actual, PtxAccess.Output)
            .Value("SourceRows", new RowStrides { Row = Heads * HeadDim, Head = HeadDim })
            .Value("DestinationOffset", 0L).Value("PageStride", pageWords * 4L).Value("TokenStride", HeadDim + 4L)
            .Value("FirstSequence", 0).Value("Heads", Heads).Value("HeadDim", HeadDim)
            .Value("BlockTokens", BlockTokens).Value("MaxBlocks", Blocks));
        for (int n = 0; n < actual.Length; n++)
            Assert.True(expected[n] == actual[n],
                $"word {n % pageWords} of page {n / pageWords}: {actual[n]:x8}, not {expected[n]:x8}; {Seeds.Text}");
    }

    // Ordinary rows, and rows at the edges of the rule.
    private static double[] Row(Random random, int row) => (row % 9) switch
    {
        0 => [.. Enumerable.Range(0, HeadDim).Select(d => d % 2 == 0 ? float.MaxValue : 0.5)],
        1 => new double[HeadDim],
        2 => [.. random.Normal(HeadDim, 1e-32)],
        3 => [.. Enumerable.Range(0, HeadDim).Select(d => d == row % HeadDim ? double.NaN : d)],
        4 => [.. Enumerable.Range(0, HeadDim).Select(d => d == 7 ? double.NegativeInfinity : d)],
        5 => [.. Enumerable.Range(0, HeadDim).Select(d => d == 9 ? 127 : d - 36.5)],
        _ => random.Normal(HeadDim, Math.Pow(10, random.Next(-4, 4))),
    };

    private static void Write(Operand rows, int[] table, int[] words, int pageWords)
    {
        for (int token = 0; token < Tokens; token++)
            for (int head = 0; head < Heads; head++)
            {
                var (block, row) = Math.DivRem(5 + token, BlockTokens);
                int page = table[head * Blocks + block];
                if (page < 0)
                    continue;
                var (integers, scale) = Int8Rows.Quantize(
                    rows.Values.AsSpan((token * Heads + head) * HeadDim, HeadDim));
                Buffer.BlockCopy(integers, 0, words, page * pageWords * 4 + row * HeadDim, HeadDim);
                words[page * pageWords + BlockTokens * HeadDim / 4 + row] = BitConverter.SingleToInt32Bits(scale);
            }
    }
}

using S2ILGPU.Cpu;
using S2ILGPU.Cpu.InnerLoops;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Cpu;

public sealed class CacheSizesTests
{
    private static readonly CacheSizes s_tiny = new(4 << 10, 32 << 10, 32 << 10);
    private static readonly CacheSizes s_large = new(1 << 20, 64 << 20, 1 << 30);

    public static TheoryData<SimdWidth> Widths => [.. SimdWidths.Available];

    [Theory]
    [MemberData(nameof(Widths))]
    public void The_sizes_of_caches_change_no_bit(SimdWidth width)
    {
        TestScale.SkipUnlessDrawn(3);
        if (width != SimdWidths.Widest)
            TestScale.SkipUnlessDrawn(2);
        int seed = Seeds.NewRandom().Next();
        float[] Results(CacheSizes caches)
        {
            using var engine = new CpuEngine(new CpuOptions(width, Threads: 2, caches));
            return [.. Products(engine, seed), .. Attention(engine, seed, "dense", headDim: 128),
                .. Attention(engine, seed, "L1 s3 by query head", headDim: 40)];
        }

        var expected = Results(MachineCaches.Default);
        Assert.Contains(expected, x => x != 0);
        Assert.DoesNotContain(expected, float.IsNaN);
        foreach (var caches in TestScale.Part([s_tiny, s_large, CacheSizes.Machine, new(1, 1, 1),
            new(int.MaxValue, int.MaxValue, int.MaxValue)], 2))
        {
            var actual = Results(caches);
            for (int n = 0; n < expected.Length; n++)
                Assert.True(BitConverter.SingleToInt32Bits(expected[n]) == BitConverter.SingleToInt32Bits(actual[n]),
                    $"value {n} is {actual[n]:r} with {caches}, {expected[n]:r} by default; {Seeds.Text}");
        }
    }

    // Rows for one tile, for as many as the smallest and the largest chunk have, and for several chunks.
    private static List<float> Products(CpuEngine engine, int seed)
    {
        var (random, results) = (new Random(seed), new List<float>());
        const int columns = 75, steps = 530;
        foreach (int rows in (int[])[11, 47, 140, 333])
            foreach (var (transposeA, transposeB) in ((bool, bool)[])[(false, false), (false, true), (true, false)])
            {
                using var a = Normal(engine, random, transposeA ? [steps, rows] : [rows, steps]);
                using var b = Normal(engine, random, transposeB ? [columns, steps] : [steps, columns]);
                using var c = Normal(engine, random, rows, columns);
                engine.MatMul(new MatMulArguments(a, b, c, transposeA, transposeB, Accumulate: rows % 2 == 0));
                results.AddRange(engine.ToArray(c));
            }
        return results;
    }

    private static float[] Attention(CpuEngine engine, int seed, string pattern, int headDim)
    {
        const int tokens = 330, heads = 4, keyValueHeads = 2;
        var random = new Random(seed);
        var layout = BlockLayout.Create(PatternCatalog.Create(pattern, heads, keyValueHeads, 32), tokens);
        var sequences = SequenceBatch.Packed([tokens - 70, 70], [tokens - 70, 70]); // last tiles of 4 and 6
        using var query = Normal(engine, random, 1, tokens, heads, headDim);
        using var key = Normal(engine, random, 1, tokens, keyValueHeads, headDim);
        using var value = Normal(engine, random, 1, tokens, keyValueHeads, headDim);
        using var outputGradient = Normal(engine, random, 1, tokens, heads, headDim);
        using var output = engine.Zeros(1, tokens, heads, headDim);
        using var logSumExp = engine.Zeros(1, heads, tokens);
        Tensor[] gradients = [engine.Zeros(1, tokens, heads, headDim), engine.Zeros(1, tokens, keyValueHeads, headDim),
            engine.Zeros(1, tokens, keyValueHeads, headDim)];
        engine.AttentionForward(new AttentionForwardArguments(query, key, value, output, logSumExp, layout, sequences,
            0.1f));
        engine.AttentionBackward(new AttentionBackwardArguments(query, key, value, output, logSumExp, outputGradient,
            null, gradients[0], gradients[1], gradients[2], layout, sequences, 0.1f));
        float[] results = [.. engine.ToArray(output), .. engine.ToArray(logSumExp),
            .. gradients.SelectMany(g => engine.ToArray(g))];
        Array.ForEach(gradients, g => g.Dispose());
        return results;
    }

    private static Tensor Normal(CpuEngine engine, Random random, params int[] shape) =>
        engine.FromArray([.. random.Normal(new Shape(shape).Count).Select(x => (float)x)], shape);

    [Fact]
    public void Blocks_fit_into_their_caches()
    {
        foreach (var width in SimdWidths.Available)
        {
            int height = width switch
            {
                SimdWidth.Bits512 => RegisterKernels<Simd512>.PackedHeight,
                SimdWidth.Bits256 => RegisterKernels<Simd256>.PackedHeight,
                SimdWidth.Bits128 => RegisterKernels<Simd128>.PackedHeight,
                _ => RegisterKernels<SimdScalar>.PackedHeight,
            };
            // A tile of 6 rows has 12 KB: a third of 512 KB has room for 14 of them, and for 7 of 12 rows.
            Assert.Equal(new Blocking(4096, height == 6 ? 12 : 7, 2560 << 10), Blocking.Of(width, 32 << 10, 512 << 10));
            Assert.Equal(new Blocking(6144, 12, 5 << 20), Blocking.Of(width, 48 << 10, 1 << 20));
            Assert.Equal(new Blocking(512, 4, 160 << 10), Blocking.Of(width, 4 << 10, 32 << 10));
            Assert.Equal(new Blocking(0, 4, 5), Blocking.Of(width, 1, 1));
        }
    }

    [Fact]
    public void The_machine_says_plausible_sizes()
    {
        var machine = CacheSizes.Machine;
        Assert.InRange(machine.Level1Bytes, 1 << 10, 1 << 20);
        Assert.InRange(machine.Level2Bytes, machine.Level1Bytes, 1 << 30);
        Assert.InRange(machine.LastLevelBytes, machine.Level2Bytes, 1 << 30);
        using var engine = new CpuEngine();
        Assert.Equal(machine, engine.Caches);
    }

    [Fact]
    public void A_processor_lists_its_caches_in_the_leaf_of_its_maker()
    {
        (int, int, long)[] caches = [(1, 1, 48 << 10), (1, 2, 32 << 10), (2, 3, 2 << 20), (3, 3, 36 << 20)];
        var sizes = new CacheSizes(48 << 10, 2 << 20, 36 << 20);
        Assert.Equal(sizes, MachineCaches.OfProcessor(Processor(4, 0x20, 0x80000008, caches)));
        Assert.Equal(sizes, MachineCaches.OfProcessor(Processor(0x8000001D, 0x10, 0x80000028, caches)));
        // Without a third level the second is the last. Without the leaf, or with an empty one, nothing is known.
        Assert.Equal(new CacheSizes(32 << 10, 1 << 20, 1 << 20),
            MachineCaches.OfProcessor(Processor(4, 4, 0x80000008, [(1, 1, 32 << 10), (2, 3, 1 << 20)])));
        Assert.Null(MachineCaches.OfProcessor(Processor(4, 3, 0x80000008, caches)));
        Assert.Null(MachineCaches.OfProcessor(Processor(4, 4, 0x80000008, [])));
    }

    // As a virtual machine on Zen 5 does: 48 KB and 1 MB, 508 MB of all cores together.
    [Fact]
    public void Where_the_newer_leaf_is_empty_older_ones_are_asked()
    {
        var empty = Processor(0x8000001D, 0x10, 0x80000028, []);
        MachineCaches.CpuId processor = (leaf, subleaf) => (uint)leaf switch
        {
            0x80000005 => (0, 0, 0x30_0C_01_40, 0),
            0x80000006 => (0, 0, 0x0400_81_40, 0x0FE0_91_40),
            _ => empty(leaf, subleaf),
        };
        Assert.Equal(new CacheSizes(48 << 10, 1 << 20, MachineCaches.Default.LastLevelBytes),
            MachineCaches.OfProcessor(processor));
    }

    [Fact]
    public void Sizes_that_cannot_be_are_replaced()
    {
        (int, int, long)[] caches = [(1, 1, 64), (2, 3, 2L << 30)];
        Assert.Equal(MachineCaches.Default with { Level1Bytes = 64, LastLevelBytes = 8 << 20 },
            MachineCaches.OfProcessor(Processor(4, 4, 0, caches)));
        // Every register full of ones: a list without an end.
        Assert.Equal(MachineCaches.Default, MachineCaches.OfProcessor((_, _) => (-1, -1, -1, -1))
            ?? MachineCaches.Default);
        using var folder = new TemporaryFolder();
        Write(folder, (1, "Data", "0K"), (2, "Unified", "-4K"), (3, "Unified", "99999999999999999999G"));
        Assert.Equal(MachineCaches.Default, MachineCaches.OfFolder(folder.FullPath));
    }

    [Fact]
    public void Linux_lists_caches_in_files()
    {
        using var folder = new TemporaryFolder();
        Assert.Null(MachineCaches.OfFolder(folder["missing"]));
        Assert.Null(MachineCaches.OfFolder(folder.FullPath));
        Write(folder, (1, "Instruction", "96K"), (1, "Data", "64K"), (2, "Unified", "1M"), (3, "Unified", "33554432"));
        Assert.Equal(new CacheSizes(64 << 10, 1 << 20, 32 << 20), MachineCaches.OfFolder(folder.FullPath));
        File.Delete(folder["index2/size"]);
        Assert.Null(MachineCaches.OfFolder(folder.FullPath));
    }

    private static void Write(TemporaryFolder folder, params (int Level, string Type, string Size)[] caches)
    {
        foreach (var (index, (level, type, size)) in caches.Index())
        {
            folder.Write($"index{index}/level", $"{level}\n");
            folder.Write($"index{index}/type", $"{type}\n");
            folder.Write($"index{index}/size", $"{size}\n");
        }
    }

    // Caches (level, type, bytes) with lines of 64 bytes and one way, in one leaf.
    private static MachineCaches.CpuId Processor(uint cacheLeaf, int maxLeaf, uint maxExtendedLeaf,
        (int Level, int Type, long Bytes)[] caches) => (leaf, subleaf) => (uint)leaf switch
    {
        0 => (maxLeaf, 0, 0, 0),
        0x80000000 => (unchecked((int)maxExtendedLeaf), 0, 0, 0),
        0x80000001 => (0, 0, 1 << 22, 0),
        var asked when asked == cacheLeaf && subleaf < caches.Length =>
            (caches[subleaf].Level << 5 | caches[subleaf].Type, 63, (int)(caches[subleaf].Bytes / 64 - 1), 0),
        _ => default,
    };
}

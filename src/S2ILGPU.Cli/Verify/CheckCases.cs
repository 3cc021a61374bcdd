using S2ILGPU.Patterns;

namespace S2ILGPU.Cli.Verify;

/// <summary>The cases of each pass. What a kernel can get wrong lies at edges: of tiles, blocks, sequences, head
/// groups, masks.</summary>
internal static class CheckCases
{
    /// <summary>Cases of the forward and the backward pass for a device that computes quickly.</summary>
    public static IReadOnlyList<CheckCase> Full { get; } =
    [
        new("dense, odd length", Dense, 2, 2, 64, 193),
        new("dense, whole tiles", Dense, 2, 1, 64, 256) { HasLogSumExpGradient = true },
        new("blocks of 16, L4 s4, GQA", Stride(4, 4), 4, 2, 16, 203) { HasLogSumExpGradient = true },
        new("blocks of 32, L2 s3, 4 heads on 1", Stride(2, 3), 4, 1, 32, 257),
        new("blocks of 64, L2 s4, by query head",
            Stride(2, 4, new StripeOptions { SlideByQueryHead = true, HeadOffset = 1 }), 4, 2, 64,
            385) { HasLogSumExpGradient = true },
        new("blocks of 128, L1 s2", Stride(1, 2), 2, 1, 128, 450),
        new("8 heads on 1, L4 s8", Stride(4, 8), 8, 1, 16, 130),
        new("long, L2 s8, dense head", Stride(2, 8, new StripeOptions { DenseHeads = 1 }), 8, 2, 64,
            769) { HasLogSumExpGradient = true },
        new("window with sink", Window, 2, 1, 16, 222),
        new("empty rows and columns, blocks of 64", Holes, 4, 2, 64, 321) { HasLogSumExpGradient = true },
        new("empty rows and columns, blocks of 16", Holes, 2, 2, 16, 145),
        new("nothing kept", Nothing, 2, 1, 32, 70),
        new("non-causal dense", (h, kv, b) => new DensePattern(h, kv, b, isCausal: false), 2, 1, 64,
            131) { HasLogSumExpGradient = true },
        new("non-causal L2 s3, blocks of 32", (h, kv, b) => new LocalStridePattern(h, kv, b, 2, 3, isCausal: false), 4,
            2, 32, 223),
        new("fewer queries than keys", Stride(2, 3), 4, 2, 32, 90, 32, 250, 129, 20) { QueryCounts = [1, 5, 67, 64, 0],
            HasLogSumExpGradient = true },
        new("fewer queries than keys, packed, blocks of 64", Stride(1, 2), 2, 1, 64, 190, 200,
            129) { QueryCounts = [33, 100, 65], IsPacked = true, PaddingRows = 3 },
        new("packed sequences", Stride(2, 3), 4, 2, 16, 33, 0, 1, 64, 150) { IsPacked = true,
            HasLogSumExpGradient = true },
        new("packed sequences, gaps, blocks of 128", Stride(1, 2), 2, 1, 128, 300, 17, 128) { IsPacked = true,
            PaddingRows = 9 },
        new("padded batch", Stride(2, 3), 4, 2, 16, 33, 0, 1, 64, 150) { PaddingRows = 7, HasLogSumExpGradient = true },
        new("one fused tensor", Stride(2, 4), 4, 2, 32, 177, 177) { IsFused = true },
        new("NaN and infinity", Stride(2, 3), 4, 2, 16, 150, 70) { Damages = 5, HasLogSumExpGradient = true },
    ];

    /// <summary>Cases of the forward and the backward pass for a device that executes kernels thread by thread: each
    /// one several edges at once.</summary>
    public static IReadOnlyList<CheckCase> Small { get; } =
    [
        new("blocks of 16, L2 s3, GQA, odd length", Stride(2, 3), 2, 1, 16, 83) { HasLogSumExpGradient = true },
        new("fewer queries than keys, packed, blocks of 64", Stride(1, 2), 1, 1, 64, 130, 20)
        {
            QueryCounts = [17, 5],
            IsPacked = true,
            PaddingRows = 3,
        },
        new("empty rows, non-causal, blocks of 32", NonCausalHoles, 1, 1, 32, 70) { PaddingRows = 5 },
        new("NaN and infinity", Dense, 1, 1, 16, 37) { Damages = 2 },
    ];

    /// <summary>Cases of decoding for a device that computes quickly.</summary>
    public static IReadOnlyList<CheckCase> FullDecode { get; } =
    [
        Decode("dense", Dense, 4, 2, 64, 1, 63, 64, 65, 400),
        Decode("blocks of 16, L2 s3", Stride(2, 3), 4, 2, 16, 1, 16, 17, 129, 900),
        Decode("blocks of 32, L2 s4, 8 heads on 1", Stride(2, 4), 8, 1, 32, 31, 800),
        Decode("blocks of 64, L4 s8, 8 heads on 2", Stride(4, 8), 8, 2, 64, 2500, 577),
        Decode("blocks of 128, L1 s2, 2 heads on 1", Stride(1, 2), 2, 1, 128, 129, 700),
        Decode("a head of its own, window with sink", Window, 2, 2, 64, 90, 501),
        Decode("6 heads on 2", Stride(1, 3), 6, 2, 32, 333, 64),
        Decode("by query head", Stride(1, 4, new StripeOptions { SlideByQueryHead = true }), 4, 1, 16, 300, 77),
        Decode("several queries", Stride(2, 3), 4, 2, 16, 40, 90, 33, 100) with { QueryCounts = [5, 16, 1, 33] },
        Decode("nothing kept in some sequences", Holes, 4, 2, 32, 33, 95, 290),
        Decode("plain keys and values", Stride(2, 3), 4, 2, 64, 500, 321) with { IsPaged = false },
        Decode("NaN and infinity", Stride(2, 3), 4, 2, 16, 40, 200, 333) with { Damages = 5 },
    ];

    /// <summary>Cases of decoding for a device that executes kernels thread by thread.</summary>
    public static IReadOnlyList<CheckCase> SmallDecode { get; } =
    [
        Decode("blocks of 16, L2 s3, GQA", Stride(2, 3), 2, 1, 16, 17, 130),
        Decode("blocks of 64, dense, plain keys and values", Dense, 2, 2, 64, 90) with { IsPaged = false },
        Decode("NaN and infinity", Dense, 2, 1, 16, 37, 90) with { Damages = 2 },
    ];

    /// <summary>Shapes of partitions to merge: dense, since patterns do not matter there.</summary>
    public static IReadOnlyList<CheckCase> Merges { get; } = [new("3 parts, some empty", Dense, 3, 3, 16, 37, 37)];

    private static CheckCase Decode(string name, Func<int, int, int, AttentionPattern> pattern, int heads,
        int keyValueHeads, int blockTokens, params int[] keyCounts) =>
        new(name, pattern, heads, keyValueHeads, blockTokens, keyCounts) { QueryCounts = [.. keyCounts.Select(_ => 1)],
            IsPaged = true };

    internal static AttentionPattern Dense(int heads, int keyValueHeads, int blockTokens) =>
        new DensePattern(heads, keyValueHeads, blockTokens);

    private static AttentionPattern Window(int heads, int keyValueHeads, int blockTokens) =>
        new SlidingWindowPattern(heads, keyValueHeads, 2, 1, blockTokens);

    internal static Func<int, int, int,
        AttentionPattern> Stride(int local, int stride, StripeOptions? stripes = null) =>
        (heads, keyValueHeads, blockTokens) =>
            new LocalStridePattern(heads, keyValueHeads, blockTokens, local, stride, stripes);

    // Every third query block keeps nothing, no row keeps every fourth key block, and most diagonal blocks are missing.
    internal static AttentionPattern Holes(int heads, int keyValueHeads, int blockTokens) =>
        Table(heads, keyValueHeads, blockTokens, isCausal: true, (h, i, j) => i % 3 != 1 && j % 4 != 2
        && (i + 2 * j + h) % 3 != 0);

    internal static AttentionPattern NonCausalHoles(int heads, int keyValueHeads, int blockTokens) =>
        Table(heads, keyValueHeads, blockTokens, isCausal: false, (h, i, j) => i % 3 != 1 && (i + j + h) % 2 == 0);

    private static AttentionPattern Nothing(int heads, int keyValueHeads, int blockTokens) =>
        Table(heads, keyValueHeads, blockTokens, isCausal: true, (_, _, _) => false);

    private static CustomPattern Table(int heads, int keyValueHeads, int blockTokens, bool isCausal, Func<int, int, int,
        bool> keeps)
    {
        const int Blocks = 24;
        var table = new bool[keyValueHeads, Blocks, Blocks];
        for (int h = 0; h < keyValueHeads; h++)
            for (int i = 0; i < Blocks; i++)
                for (int j = 0; j < (isCausal ? i + 1 : Blocks); j++)
                    table[h, i, j] = keeps(h, i, j);
        return new CustomPattern(table, heads, keyValueHeads, blockTokens, isCausal);
    }
}

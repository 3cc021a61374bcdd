using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Tests.Ptx;

/// <summary>
/// The problems that kernels are run on: odd lengths, fewer queries than keys, grouped heads, rows that keep nothing,
/// masks everywhere, gaps in memory, no dLSE. Float64 takes longer than a kernel, so kernels of the same <see
/// cref="TestedKernel.Problems"/> share them.
/// </summary>
internal static class AttentionProblems
{
    // Elements between rows in memory: as far as 16-bit vectors allow.
    private const int Gap = 8;

    /// <summary>For kernels with a tile of queries or keys.</summary>
    public static IEnumerable<AttentionData> Of(TestedKernel kernel)
    {
        // wide heads cost float64 the more
        var basic = Basic(kernel) with { QueryCounts = [150, 20, 0], KeyCounts = kernel.HeadDim > 128 ? [150, 70, 7]
            : [200, 133, 7] };
        yield return Make(basic with { Pattern = "L1 s3 by query head" }, kernel.Type);
        yield return Make(basic with { Pattern = "random mostly empty", Batching = Batching.Padded },
            kernel.Type, gap: Gap);
        // blocks of 128 tokens are two entries of 64
        yield return Make(basic with { Pattern = "window non-causal", BlockTokens = kernel.BlockColumns == 64 ? 128
            : kernel.BlockColumns, PaddingRows = 0 }, kernel.Type).Masked;
        // several tiles without a mask one after the other, however wide tiles are
        yield return Make(basic with { Pattern = "dense", QueryCounts = [200], KeyCounts = [290],
            WithLogSumExp = false }, kernel.Type);
    }

    /// <summary>Two of them that reach every instruction: the loop without masks, and the loop with masks several times
    /// in a row.</summary>
    public static IEnumerable<AttentionData> ForFaults(TestedKernel kernel) => Of(kernel).Where((_, n) => n >= 2);

    /// <summary>The same for decoding kernels.</summary>
    public static IEnumerable<AttentionData> ForDecodeFaults(TestedKernel kernel) =>
        OfDecode(kernel).Where((_, n) => n >= 2);

    /// <summary>For decoding kernels: one query per sequence; one sequence has none.</summary>
    public static IEnumerable<AttentionData> OfDecode(TestedKernel kernel)
    {
        // several heads share a list only where they share a pattern
        var basic = Basic(kernel) with { QueryCounts = [1, 1, 1, 0], KeyCounts = [400, 1, 133, 5],
            QueryHeads = 2 * Math.Max(2, kernel.Heads), KeyValueHeads = kernel.Heads == 1 ? 4 : 2 };
        yield return Make(basic with { Pattern = kernel.Heads == 1 ? "L1 s3 by query head" : "L2 s3" }, kernel.Type);
        yield return Make(basic with { Pattern = "random mostly empty", Batching = Batching.Padded,
            KeyCounts = [200, 1, 133, 5] }, kernel.Type, gap: Gap);
        var dense = basic with { Pattern = "dense", BlockTokens = kernel.BlockColumns == 64 ? 128 : kernel.BlockColumns,
            KeyCounts = [500, 64, 65, 0], QueryCounts = [1, 1, 1, 0] };
        var last = Make(dense, kernel.Type);
        yield return last.Masked;
        yield return last;
    }

    /// <summary>For kernels that score sampled rows: dense attention.</summary>
    public static IEnumerable<AttentionData> OfSample(TestedKernel kernel)
    {
        var basic = Basic(kernel) with { Pattern = "dense" };
        yield return Make(basic with { QueryCounts = [150, 20, 0], KeyCounts = [200, 133, 7] }, kernel.Type);
        yield return Make(basic with { QueryCounts = [1, 64, 65, 3], KeyCounts = [1, 64, 65, 17],
            Batching = Batching.Padded }, kernel.Type, gap: Gap);
        // several tiles that all rows see, and two tiles of rows
        yield return Make(basic with { QueryCounts = [140], KeyCounts = [390], QueryHeads = 2, KeyValueHeads = 1 },
            kernel.Type);
    }

    /// <summary>For portable kernels: any head dim, rows at any place.</summary>
    public static IEnumerable<AttentionData> OfPortable(ElementType keyType)
    {
        yield return Make(Portable with { HeadDim = Whole(33, keyType), BlockTokens = 32,
            Pattern = "L1 s3 by query head" }, keyType, gap: 3);
        yield return Make(Portable with { HeadDim = 64, BlockTokens = 16, Pattern = "random mostly empty",
            Batching = Batching.Padded }, keyType, gap: 3);
        yield return Make(Portable with { HeadDim = 72, BlockTokens = 128, Pattern = "window non-causal",
            PaddingRows = 0 }, keyType).Masked;
        var dense = Portable with { HeadDim = Whole(130, keyType), BlockTokens = 64, Pattern = "dense", QueryHeads = 2,
            KeyValueHeads = 1, QueryCounts = [200], KeyCounts = [290] };
        yield return Make(dense with { WithLogSumExp = false }, keyType);
    }

    /// <summary>The same for decoding.</summary>
    public static IEnumerable<AttentionData> OfPortableDecode(ElementType keyType)
    {
        var basic = Portable with { QueryCounts = [1, 1, 1, 0], KeyCounts = [400, 1, 133, 5] };
        yield return Make(basic with { HeadDim = Whole(33, keyType), BlockTokens = 32,
            Pattern = "L1 s3 by query head" }, keyType, gap: 3);
        yield return Make(basic with { HeadDim = 64, BlockTokens = 16, Pattern = "random mostly empty",
            Batching = Batching.Padded }, keyType, gap: 3);
        yield return Make(basic with { HeadDim = 200, BlockTokens = 128, Pattern = "L2 s3" }, keyType).Masked;
        yield return Make(basic with { HeadDim = 256, BlockTokens = 64, Pattern = "dense",
            KeyCounts = [500, 64, 65, 0] }, keyType);
    }

    /// <summary>For the kernels that copy operands to tiles.</summary>
    public static AttentionData OfPack(int headDim, ElementType type) =>
        Make(new AttentionCase { QueryHeads = 4, KeyValueHeads = 2, HeadDim = headDim, QueryCounts = [150, 20, 0],
        KeyCounts = [200, 133, 7], Batching = Batching.Packed, PaddingRows = 3 }, type);

    // Rows of bytes are whole words.
    private static int Whole(int headDim, ElementType keyType) =>
        keyType == ElementType.Int8 ? (headDim + 3) / 4 * 4 : headDim;

    private static AttentionCase Portable =>
        new() { QueryHeads = 4, KeyValueHeads = 2, QueryCounts = [150, 20, 0], KeyCounts = [200, 133, 7],
        Batching = Batching.Packed, PaddingRows = 3 };

    private static AttentionCase Basic(TestedKernel kernel) =>
        new() { QueryHeads = 4, KeyValueHeads = 2, HeadDim = kernel.HeadDim, BlockTokens = kernel.BlockColumns,
        Batching = Batching.Packed, PaddingRows = 3 };

    private static AttentionData Make(AttentionCase problem, ElementType type, int gap = 0) =>
        new(problem, type, Seeds.NewRandom()) { Gap = gap };
}

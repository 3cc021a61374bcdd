using System.Collections.Concurrent;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Tests.Ptx;

/// <summary>
/// The problems that kernels are run on: odd lengths, fewer queries than keys, grouped heads, rows that keep nothing, masks everywhere. Made once, since float64 takes longer than the kernels.
/// </summary>
internal static class AttentionProblems
{
    private static readonly ConcurrentDictionary<(AttentionCase, ElementType, bool), Lazy<AttentionData>> _made = [];

    /// <summary>For kernels with a tile of queries or keys.</summary>
    public static IEnumerable<AttentionData> Of(TestedKernel kernel)
    {
        // wide heads cost float64 the more
        var basic = Basic(kernel) with { QueryCounts = [150, 20, 0], KeyCounts = kernel.HeadDim > 128 ? [150, 70, 7] : [200, 133, 7] };
        yield return Make(basic with { Pattern = "L1 s3 by query head" }, kernel.Type);
        yield return Make(basic with { Pattern = "random mostly empty", Batching = Batching.Padded }, kernel.Type);
        // blocks of 128 tokens are two entries of 64
        yield return Make(basic with { Pattern = "window non-causal", BlockTokens = kernel.BlockColumns == 64 ? 128 : kernel.BlockColumns, PaddingRows = 0 }, kernel.Type, maskEverything: true);
        // several tiles without a mask one after the other, however wide tiles are
        yield return Make(basic with { Pattern = "dense", QueryCounts = [200], KeyCounts = [290] }, kernel.Type);
    }

    /// <summary>Two of them that reach every instruction: the loop without masks, and the loop with masks several times in a row.</summary>
    public static IEnumerable<AttentionData> ForFaults(TestedKernel kernel) => Of(kernel).Where((_, n) => n >= 2);

    /// <summary>The same for decoding kernels.</summary>
    public static IEnumerable<AttentionData> ForDecodeFaults(TestedKernel kernel) => OfDecode(kernel).Where((_, n) => n >= 2);

    /// <summary>For decoding kernels: one query per sequence; one sequence has none.</summary>
    public static IEnumerable<AttentionData> OfDecode(TestedKernel kernel)
    {
        // several heads share a list only where they share a pattern
        var basic = Basic(kernel) with { QueryCounts = [1, 1, 1, 0], KeyCounts = [400, 1, 133, 5], QueryHeads = 2 * Math.Max(2, kernel.Heads), KeyValueHeads = kernel.Heads == 1 ? 4 : 2 };
        yield return Make(basic with { Pattern = kernel.Heads == 1 ? "L1 s3 by query head" : "L2 s3" }, kernel.Type);
        yield return Make(basic with { Pattern = "random mostly empty", Batching = Batching.Padded }, kernel.Type);
        var dense = basic with { Pattern = "dense", BlockTokens = kernel.BlockColumns == 64 ? 128 : kernel.BlockColumns, KeyCounts = [500, 64, 65, 0], QueryCounts = [1, 1, 1, 0] };
        yield return Make(dense, kernel.Type, maskEverything: true);
        yield return Make(dense, kernel.Type);
    }

    /// <summary>For the kernels that copy operands to tiles.</summary>
    public static AttentionData OfPack(int headDim, ElementType type) =>
        Make(new AttentionCase { QueryHeads = 4, KeyValueHeads = 2, HeadDim = headDim, QueryCounts = [150, 20, 0], KeyCounts = [200, 133, 7], Batching = Batching.Packed, PaddingRows = 3 }, type);

    private static AttentionCase Basic(TestedKernel kernel) =>
        new() { QueryHeads = 4, KeyValueHeads = 2, HeadDim = kernel.HeadDim, BlockTokens = kernel.BlockColumns, Batching = Batching.Packed, PaddingRows = 3 };

    private static AttentionData Make(AttentionCase problem, ElementType type, bool maskEverything = false) =>
        _made.GetOrAdd((problem, type, maskEverything), key => new Lazy<AttentionData>(() => new AttentionData(key.Item1, key.Item2, Seeds.NewRandom()) { MaskEverything = key.Item3 })).Value;
}

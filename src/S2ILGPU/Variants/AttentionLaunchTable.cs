using S2ILGPU.Layouts;
using S2ILGPU.Tensors;

namespace S2ILGPU.Variants;

/// <summary>What a tensor-core kernel is chosen for.</summary>
/// <param name="ElementType">Type of the operands.</param>
/// <param name="HeadDim">D.</param>
/// <param name="BlockColumns">Columns of an entry.</param>
/// <param name="IsPaged">Whether keys and values lie in pages.</param>
/// <param name="Rows">Rows of a row tile; 0 when it does not matter.</param>
/// <param name="GroupHeads">Query heads that share a KV head and its pattern; decoding takes as many at a time as
/// divide it.</param>
internal readonly record struct AttentionProblem(ElementType ElementType, int HeadDim, int BlockColumns,
    bool IsPaged = false, int Rows = 0, int GroupHeads = 1);

/// <summary>
/// How attention is launched: which kernels a device gets, and how tall the row tiles of the forward pass are. Kernels
/// and their reasons are the rows of <see cref="KernelVariants"/>.
/// </summary>
internal static class AttentionLaunchTable
{
    private static readonly (Func<BlockLayout, bool, long, int, bool> Applies, int Rows, string Reason)[]
        s_forwardRows =
    [
        (static (layout, isChosen, tiles, processors) => tiles < 2L * processors, 64,
            "fewer than two tall tiles per multiprocessor: short tiles keep the device busy"),
        (static (layout, isChosen, tiles, processors) => layout.BlockTokens == 128, 128,
            "neighbouring 64 rows share their block, and so their list: keys are read half as often"),
        (static (layout, isChosen, tiles, processors) => !isChosen && KeptFraction(layout) > 0.9, 128,
            "nearly everything is kept, so neighbouring blocks of rows share their lists"),
        (static (layout, isChosen, tiles, processors) => true, 64,
            "sparse lists of neighbouring blocks differ: merging two of them would multiply what one does not keep"),
    ];

    /// <summary>Rows of the row tiles of a forward pass, 64 or 128, and why.</summary>
    /// <param name="layout">The kept blocks.</param>
    /// <param name="tallTiles">Row tiles that there would be with 128 rows.</param>
    /// <param name="multiprocessors">Multiprocessors of the device.</param>
    /// <param name="isChosen">Whether the device chooses fewer blocks than the layout has.</param>
    public static (int Rows, string Reason) ForwardRows(BlockLayout layout, long tallTiles, int multiprocessors,
        bool isChosen = false)
    {
        var (_, rows, reason) = s_forwardRows.First(row => row.Applies(layout, isChosen, tallTiles, multiprocessors));
        return (rows, reason);
    }

    /// <summary>The first tensor-core kernel that fits a call, or null.</summary>
    /// <param name="operation">What is computed.</param>
    /// <param name="problem">Operands.</param>
    /// <param name="multiprocessorKilobytes">Shared memory of a multiprocessor in KB.</param>
    public static KernelVariant? Choose(KernelOperation operation, in AttentionProblem problem,
        int multiprocessorKilobytes)
    {
        foreach (var variant in KernelVariants.All)
            if (variant.MultiprocessorKilobytes <= multiprocessorKilobytes && Fits(variant, operation, problem))
                return variant;
        return null;
    }

    /// <summary>Whether a kernel can serve a call.</summary>
    public static bool Fits(KernelVariant variant, KernelOperation operation, in AttentionProblem problem) =>
        variant.Operation == operation && variant.ElementType == problem.ElementType
        && (variant.HeadDim == 0 || variant.HeadDim == problem.HeadDim)
        && (variant.BlockColumns == 0 || variant.BlockColumns == problem.BlockColumns)
        && variant.IsPaged == problem.IsPaged
        && (problem.Rows == 0 || variant.Rows == problem.Rows)
        && (variant.GroupHeads == 0 || problem.GroupHeads % variant.GroupHeads == 0);

    /// <summary>Whether a group of a kernel fits into the shared memory of a multiprocessor, of which 1 KB per group is
    /// not for programs.</summary>
    public static bool RunsOn(KernelVariant variant, int multiprocessorKilobytes) =>
        variant.SharedBytes <= (multiprocessorKilobytes - 1) * 1024;

    private static double KeptFraction(BlockLayout layout)
    {
        double rows = layout.QueryBlocks, dense = layout.IsCausal
            ? rows * (layout.FirstQueryBlock + 1 + layout.KeyBlocks) / 2 : rows * layout.KeyBlocks;
        return rows == 0 ? 0 : layout.KeptBlocks / (dense * layout.Heads);
    }
}

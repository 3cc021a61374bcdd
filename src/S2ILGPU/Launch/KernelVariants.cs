using S2ILGPU.Tensors;
using S2ILGPU.Tiles;

namespace S2ILGPU.Launch;

/// <summary>All tensor-core kernels, in the order of preference: the launcher, tests and tools enumerate this table.</summary>
internal static class KernelVariants
{
    /// <summary>Least CUDA architecture with asynchronous copies and products of bfloat16.</summary>
    public const int LeastArchitecture = 80;

    /// <summary>Head dims that the kernels are compiled for.</summary>
    public static ReadOnlySpan<int> HeadDims => [64, 96, 128, 256];

    /// <summary>Columns of blocks that the kernels are compiled for.</summary>
    public static ReadOnlySpan<int> BlockColumns => [16, 32, 64];

    /// <summary>The element types of tensor cores, as tensors and kernels name them.</summary>
    internal static (ElementType Type, Type Element, string Name)[] Elements { get; } =
        [(ElementType.BFloat16, typeof(BFloat16Element), "bf16"), (ElementType.Float16, typeof(HalfElement), "fp16")];

    /// <summary>The table.</summary>
    public static IReadOnlyList<KernelVariant> All { get; } = [.. ForwardVariants.All(), .. DecodeVariants.All(), .. PackVariants.All(), .. BackwardVariants.All()];

    /// <summary>The forward kernel for a device, or null where there is none.</summary>
    /// <param name="element">bfloat16 or half precision.</param>
    /// <param name="headDim">D.</param>
    /// <param name="blockColumns">Columns of a block.</param>
    /// <param name="isPaged">Whether keys lie in pages.</param>
    /// <param name="rows">Rows of a row tile: 64 or 128.</param>
    /// <param name="multiprocessorKilobytes">Shared memory of a multiprocessor in KB.</param>
    public static KernelVariant? Forward(ElementType element, int headDim, int blockColumns, bool isPaged, int rows, int multiprocessorKilobytes) =>
        All.FirstOrDefault(v => v.Operation == KernelOperation.Forward && v.ElementType == element && v.HeadDim == headDim && v.BlockColumns == blockColumns && v.IsPaged == isPaged
            && v.Rows == rows && v.MultiprocessorKilobytes <= multiprocessorKilobytes);

    /// <summary>The decode kernel for a device, or null where there is none.</summary>
    /// <param name="element">bfloat16 or half precision.</param>
    /// <param name="headDim">D.</param>
    /// <param name="blockColumns">Columns of a block.</param>
    /// <param name="isPaged">Whether keys lie in pages.</param>
    /// <param name="headsPerKeyHead">Query heads per KV head; the kernel serves as many of them at a time as divide it.</param>
    /// <param name="multiprocessorKilobytes">Shared memory of a multiprocessor in KB.</param>
    public static KernelVariant? Decode(ElementType element, int headDim, int blockColumns, bool isPaged, int headsPerKeyHead, int multiprocessorKilobytes) =>
        All.FirstOrDefault(v => v.Operation == KernelOperation.Decode && v.ElementType == element && v.HeadDim == headDim && v.BlockColumns == blockColumns && v.IsPaged == isPaged
            && headsPerKeyHead % v.GroupHeads == 0 && v.MultiprocessorKilobytes <= multiprocessorKilobytes);

    /// <summary>A number as a type.</summary>
    internal static Type Number(int value) => value switch
    {
        1 => typeof(N1),
        2 => typeof(N2),
        3 => typeof(N3),
        4 => typeof(N4),
        8 => typeof(N8),
        16 => typeof(N16),
        32 => typeof(N32),
        64 => typeof(N64),
        96 => typeof(N96),
        128 => typeof(N128),
        256 => typeof(N256),
        _ => throw new ArgumentOutOfRangeException(nameof(value), value, "no such number type"),
    };

    /// <summary>Where blocks lie, as a type.</summary>
    internal static Type Placement(bool isPaged) => isPaged ? typeof(InPages) : typeof(InBlocks);
}

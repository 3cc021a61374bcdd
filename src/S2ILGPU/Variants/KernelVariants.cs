using S2ILGPU.Tensors;
using S2ILGPU.Tiles;

namespace S2ILGPU.Variants;

/// <summary>All tensor-core kernels, in the order of preference: the launcher, tests and tools enumerate this
/// table.</summary>
internal static class KernelVariants
{
    /// <summary>Least CUDA architecture with asynchronous copies and products of bfloat16.</summary>
    public const int LeastArchitecture = 80;

    /// <summary>Threads of the largest group.</summary>
    public const int MaxThreads = 256;

    /// <summary>Head dims that the kernels are compiled for.</summary>
    public static ReadOnlySpan<int> HeadDims => [64, 80, 96, 112, 128, 192, 256];

    /// <summary>Columns of blocks that the kernels are compiled for.</summary>
    public static ReadOnlySpan<int> BlockColumns => [16, 32, 64];

    /// <summary>The element types of tensor cores, as tensors and kernels name them.</summary>
    internal static (ElementType Type, Type Element, string Name)[] Elements { get; } =
        [(ElementType.BFloat16, typeof(BFloat16Element), "bf16"), (ElementType.Float16, typeof(HalfElement), "fp16")];

    /// <summary>The table.</summary>
    public static IReadOnlyList<KernelVariant> All { get; } =
        [.. ForwardVariants.All(), .. DecodeVariants.All(), .. PackVariants.All(), .. BackwardVariants.All(),
            .. SampleVariants.All()];

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
        80 => typeof(N80),
        96 => typeof(N96),
        112 => typeof(N112),
        128 => typeof(N128),
        192 => typeof(N192),
        256 => typeof(N256),
        _ => throw new ArgumentOutOfRangeException(nameof(value), value, "no such number type"),
    };

    /// <summary>Dynamic shared memory in bytes of a group: the kernel's method <c>SharedBytes</c>.</summary>
    /// <param name="kernel">The class of the kernel.</param>
    /// <param name="types">What it is compiled for.</param>
    internal static int SharedBytes(Type kernel, params Type[] types) =>
        (int)kernel.GetMethod("SharedBytes")!.MakeGenericMethod(types).Invoke(null, null)!;

    /// <summary>Where blocks lie, as a type.</summary>
    internal static Type Placement(bool isPaged) => isPaged ? typeof(InPages) : typeof(InBlocks);
}

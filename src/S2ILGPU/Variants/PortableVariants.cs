using System.Reflection;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Tensors;

namespace S2ILGPU.Variants;

/// <summary>The attention kernels in single precision, which every accelerator runs. Their arguments and launches are
/// those of <see cref="Attention.PortableAttention"/>.</summary>
internal static class PortableVariants
{
    /// <summary>The variants.</summary>
    public static IReadOnlyList<KernelVariant> All { get; } =
    [
        Of("forward-fp32", KernelOperation.Forward, typeof(PortableForward), typeof(StoredSingle), 64),
        Of("decode-fp32", KernelOperation.Decode, typeof(PortableDecode), typeof(StoredSingle), 1),
        Of("dq-fp32", KernelOperation.QueryGradient, typeof(PortableBackward), typeof(QueryRows), 64),
        Of("dkdv-fp32", KernelOperation.KeyValueGradient, typeof(PortableBackward), typeof(KeyRows), 64),
    ];

    private static KernelVariant Of(string name, KernelOperation operation, Type kernel, Type argument, int rows) =>
        new()
    {
        Name = name,
        Operation = operation,
        Method = kernel.GetMethod("Kernel", BindingFlags.Public | BindingFlags.Static)!.MakeGenericMethod(argument),
        ElementType = ElementType.Float32,
        IsPortable = true,
        Rows = rows,
        Threads = PortableTiles.Threads,
        MultiprocessorKilobytes = 0,
        Reason = "any accelerator; any head dim up to 256 with less than 48 KB of static shared memory",
    };
}

using System.Reflection;
using S2ILGPU.Variants;

namespace S2ILGPU.Reports;

/// <summary>A kernel that reports are made of: any that an engine launches.</summary>
/// <param name="Kernel">Operation, in lower case.</param>
/// <param name="Variant">Unique name.</param>
/// <param name="TensorCore">Whether it uses tensor cores; such kernels have no OpenCL C.</param>
/// <param name="Method">The static method with one argument struct.</param>
/// <param name="Threads">Threads of a group that it is compiled for; 0 for any number, as kernels in plain ILGPU
/// are.</param>
/// <param name="SharedBytes">Dynamic shared memory.</param>
/// <param name="IsMain">Whether it stands for others: blocks of 64 columns, pages for decoding and packed keys for
/// everything else, one type for all operands. The other variants differ in the addresses of copies, and in
/// conversions.</param>
/// <param name="Architectures">What it is reported for.</param>
internal sealed record ReportedKernel(string Kernel, string Variant, bool TensorCore, MethodInfo Method, int Threads,
    int SharedBytes, bool IsMain, IReadOnlyList<string> Architectures)
{
    private const int AmpereKilobytes = 164;

    /// <summary>All architectures that kernels are reported for; tensor-core kernels have sm_80 and sm_90 of
    /// them.</summary>
    public static IReadOnlyList<string> AllArchitectures { get; } = ["sm_75", "sm_80", "sm_90", "opencl"];

    /// <summary>All of them.</summary>
    public static IReadOnlyList<ReportedKernel> All { get; } =
        [.. KernelVariants.All.Concat(PortableVariants.All).Concat(MatMulVariants.All).Select(Of),
            .. PortableKernels.All()];

    private static ReportedKernel Of(KernelVariant variant) =>
        new(variant.Operation.ShortName(), variant.Name, !variant.IsPortable, variant.Method,
            variant.IsPortable ? 0 : variant.Threads, variant.SharedBytes, variant.BlockColumns is 0
            || (variant.BlockColumns == 64 && variant.IsPaged == (variant.Operation == KernelOperation.Decode)),
            ArchitecturesOf(variant));

    // A kernel that asks for more shared memory than a multiprocessor of sm_80 has is never chosen there.
    private static IReadOnlyList<string> ArchitecturesOf(KernelVariant variant) => variant.IsPortable
        ? AllArchitectures : variant.MultiprocessorKilobytes > AmpereKilobytes ? ["sm_90"] : ["sm_80", "sm_90"];
}

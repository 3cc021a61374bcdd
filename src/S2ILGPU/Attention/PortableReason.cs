using System.Globalization;
using S2ILGPU.Tensors;
using S2ILGPU.Variants;

namespace S2ILGPU.Attention;

/// <summary>Why a call gets portable kernels on a device that has tensor cores. Equal reasons are told once.</summary>
/// <param name="Kind">What about the call is the reason.</param>
/// <param name="Query">Type of the queries.</param>
/// <param name="Key">Type of the keys.</param>
/// <param name="HeadDim">D, where it matters; otherwise 0.</param>
/// <param name="Operation">What is computed, where it matters.</param>
internal readonly record struct PortableReason(PortableReason.Kinds Kind, ElementType Query, ElementType Key,
    int HeadDim = 0, KernelOperation Operation = KernelOperation.Forward)
{
    private const string Portable = "on portable kernels in single precision";

    /// <summary>Kinds of reasons.</summary>
    internal enum Kinds
    {
        /// <summary>Operands of 32 bits, or of two types.</summary>
        ElementType,

        /// <summary>A head dim that no kernel is compiled for.</summary>
        HeadDim,

        /// <summary>The kernels need more shared memory than a multiprocessor has.</summary>
        SharedMemory,

        /// <summary>A scale that is not positive.</summary>
        Scale,

        /// <summary>Pages that kernels cannot read as they lie.</summary>
        Pages,
    }

    /// <summary>What about the operands is not for tensor cores, whatever the device; null when nothing is.</summary>
    public static PortableReason? Of(ElementType query, ElementType key, int headDim) =>
        query != key || query is not (ElementType.BFloat16 or ElementType.Float16)
            ? new PortableReason(Kinds.ElementType, query, key)
            : !KernelVariants.HeadDims.Contains(headDim) ? new PortableReason(Kinds.HeadDim, query, key, headDim)
            : null;

    /// <summary>One sentence: what runs on portable kernels, and what would avoid it.</summary>
    /// <param name="multiprocessorKilobytes">Shared memory of a multiprocessor of the device.</param>
    public string Sentence(int multiprocessorKilobytes) => Kind switch
    {
        Kinds.ElementType when Query == Key =>
            $"attention on {Name(Query)} runs {Portable}: tensor cores take queries, keys and values of bf16 or fp16",
        Kinds.ElementType =>
            $"attention of {Name(Query)} queries over {Name(Key)} keys runs {Portable}: tensor cores take queries, "
            + "keys and values of bf16, or all of fp16",
        Kinds.HeadDim =>
            $"{Name(Query)} attention of head dim {Number(HeadDim)} runs {Portable}: tensor-core kernels have head "
            + $"dims {string.Join(", ", KernelVariants.HeadDims.ToArray().Select(Number))}",
        Kinds.Scale =>
            $"{Name(Query)} attention with a scale of 0 or less runs {Portable}: tensor-core kernels need a positive "
            + "scale",
        Kinds.Pages =>
            $"{Name(Query)} attention over these pages runs {Portable}: tensor-core kernels read pages that lie "
            + "without gaps and begin at a multiple of 256 bytes, as in a pool that is one tensor",
        _ =>
            $"the {Operation.ShortName()} pass of {Name(Query)} attention of head dim {Number(HeadDim)} runs "
            + $"{Portable}: its tensor-core kernels need {Number(NeededKilobytes)} KB of shared memory per "
            + $"multiprocessor, this device has {Number(multiprocessorKilobytes)}",
    };

    // The least that a kernel for it asks for.
    private int NeededKilobytes
    {
        get
        {
            var (operation, type, headDim) = (Operation, Query, HeadDim);
            return KernelVariants.All.Where(variant => variant.ElementType == type && variant.HeadDim == headDim
                && Serves(variant.Operation, operation)).Min(variant => variant.MultiprocessorKilobytes);
        }
    }

    // dK and dV come from one kernel, or from one each.
    private static bool Serves(KernelOperation variant, KernelOperation operation) => variant == operation
        || (operation == KernelOperation.KeyValueGradient && variant == KernelOperation.KeyGradient);

    private static string Name(ElementType type) => type switch
    {
        ElementType.BFloat16 => "bf16",
        ElementType.Float16 => "fp16",
        ElementType.Float32 => "fp32",
        ElementType.Int8 => "int8",
        _ => type.ToString(),
    };

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}

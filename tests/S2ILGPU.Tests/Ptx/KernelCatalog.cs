using S2ILGPU.Kernels;
using S2ILGPU.Launch;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Tests.Ptx;

/// <summary>A kernel of the table, ready for the interpreter.</summary>
internal sealed record TestedKernel(KernelVariant Variant)
{
    public InterpretedKernel Kernel => new(Variant.Method, Variant.Threads, Variant.SharedBytes, Variant.MinGroups);

    public int HeadDim => Variant.HeadDim;

    public int BlockColumns => Variant.BlockColumns;

    public int Rows => Variant.Rows;

    /// <summary>G of decoding kernels.</summary>
    public int Heads => Variant.GroupHeads;

    public ElementType Type => Variant.ElementType;

    public KeyPlacement Placement => Variant.IsPaged ? KeyPlacement.Pages : KeyPlacement.Packed;

    /// <summary>Backward: whether rows are keys.</summary>
    public bool RowsAreKeys => ShapeSays(nameof(IBackwardShape.RowsAreKeys));

    /// <summary>Backward: whether dK or dQ is computed.</summary>
    public bool First => ShapeSays(nameof(IBackwardShape.First));

    /// <summary>Backward: whether dV is computed.</summary>
    public bool Second => ShapeSays(nameof(IBackwardShape.Second));

    /// <summary>What distinguishes the code of the kernel but for element type, columns of a block and place of the keys.</summary>
    public string Family => $"{Variant.Operation} D{HeadDim} rows {Rows} heads {Heads} threads {Variant.Threads} shared {Variant.SharedBytes}";

    private bool ShapeSays(string property) => (bool)Variant.Method.GetGenericArguments()[1].GetProperty(property)!.GetValue(null)!;
}

/// <summary>The attention kernels of <see cref="KernelVariants"/>, by family. Every run of the tests takes another element type, block and place of keys of each family; S2_SEED repeats a choice.</summary>
internal static class KernelCatalog
{
    private static readonly TestedKernel[] _all = [.. KernelVariants.All.Select(variant => new TestedKernel(variant))];

    /// <summary>Names of the families of some kernels.</summary>
    /// <param name="kernels">Classes of the kernels.</param>
    public static IReadOnlyList<string> Families(params Type[] kernels) => [.. _all.Where(k => kernels.Contains(k.Variant.Method.DeclaringType)).Select(k => k.Family).Distinct()];

    /// <summary>Names of all families.</summary>
    public static IReadOnlyList<string> AllFamilies => [.. _all.Select(k => k.Family).Distinct()];

    /// <summary>The kernels of a family in this run: one, or all with S2_ALL_KERNELS=1.</summary>
    public static IReadOnlyList<TestedKernel> Members(string family) => Environment.GetEnvironmentVariable("S2_ALL_KERNELS") is "1" ? [.. _all.Where(k => k.Family == family)] : [Choose(family)];

    /// <summary>Whether the launch table chooses a kernel on a device with so much shared memory in a multiprocessor: no kernel before it serves the same calls there.</summary>
    public static bool IsChosen(TestedKernel kernel, int multiprocessorKilobytes)
    {
        var same = _all.Select(k => k.Variant).Where(v => v.MultiprocessorKilobytes <= multiprocessorKilobytes && v.Operation == kernel.Variant.Operation && v.ElementType == kernel.Type && v.HeadDim == kernel.HeadDim
            && v.BlockColumns == kernel.BlockColumns && v.IsPaged == kernel.Variant.IsPaged && v.Rows == kernel.Rows && v.GroupHeads == kernel.Heads);
        return kernel.Variant.HeadDim == 0 || same.FirstOrDefault() == kernel.Variant;
    }

    /// <summary>Names of the kernels that compute an operation.</summary>
    public static IEnumerable<string> Names(KernelOperation operation) => _all.Where(k => k.Variant.Operation == operation).Select(k => k.Variant.Name);

    /// <summary>This run's kernel of a family.</summary>
    public static TestedKernel Choose(string family)
    {
        TestedKernel[] members = [.. _all.Where(k => k.Family == family)];
        return members[Seeds.NewRandom().Next(members.Length)];
    }

    /// <summary>The kernel of a name in the table.</summary>
    public static TestedKernel Named(string name) => _all.Single(k => k.Variant.Name == name);

    public static InterpretedKernel MergeOf(ElementType type) => _all.Single(k => k.Variant.Operation == KernelOperation.Merge && k.Type == type).Kernel;

    public static InterpretedKernel DeltaOf(ElementType type, int headDim) => _all.Single(k => k.Variant.Operation == KernelOperation.Delta && k.Type == type && k.HeadDim == headDim).Kernel;
}

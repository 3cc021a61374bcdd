using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Lists;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Variants;

namespace S2ILGPU.Tests.Ptx;

/// <summary>A kernel of the table, ready for the PTX machine.</summary>
internal sealed class TestedKernel(KernelVariant variant)
{
    public KernelVariant Variant => variant;

    public InterpretedKernel Kernel { get; } = new(variant.Method, variant.Threads)
    {
        SharedBytes = variant.SharedBytes,
    };

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

    /// <summary>What distinguishes the code of the kernel but for element type, columns of a block and place of the
    /// keys.</summary>
    public string Family =>
        $"{Variant.Operation} D{HeadDim} rows {Rows} heads {Heads} threads {Variant.Threads} shared "
        + $"{Variant.SharedBytes}";

    /// <summary>What its problems depend on.</summary>
    public string Problems => $"{Type} D{HeadDim} blocks of {BlockColumns}{(Heads > 0 ? $", {Heads} heads" : "")}";

    private bool ShapeSays(string property) =>
        (bool)Variant.Method.GetGenericArguments()[1].GetProperty(property)!.GetValue(null)!;
}

/// <summary>
/// The attention kernels of <see cref="KernelVariants"/>. All of them are run; planted faults take one of each family,
/// another one every time: S2_SEED repeats a choice.
/// </summary>
internal static class KernelCatalog
{
    // The kernels that others need, kept with their PTX.
    private static readonly TestedKernel[] _companions =
        [.. KernelVariants.All.Where(v => v.Operation is KernelOperation.Merge or KernelOperation.Delta)
        .Select(v => new TestedKernel(v))];

    // Made anew for every test.
    private static IEnumerable<TestedKernel> All => KernelVariants.All.Select(variant => new TestedKernel(variant));

    private static IEnumerable<TestedKernel> Having(KernelOperation[] operations) =>
        All.Where(k => operations.Contains(k.Variant.Operation));

    /// <summary>Names of the families of some kernels.</summary>
    /// <param name="kernels">Classes of the kernels.</param>
    public static IReadOnlyList<string> Families(params Type[] kernels) =>
        [.. All.Where(k => kernels.Contains(k.Variant.Method.DeclaringType)).Select(k => k.Family).Distinct()];

    /// <summary>Names of all families.</summary>
    public static IReadOnlyList<string> AllFamilies => [.. All.Select(k => k.Family).Distinct()];

    /// <summary>The kernels of a family.</summary>
    public static IReadOnlyList<TestedKernel> Members(string family) => [.. All.Where(k => k.Family == family)];

    /// <summary>Whether the launch table chooses a kernel on a device with so much shared memory in a multiprocessor:
    /// no kernel before it serves the same calls there.</summary>
    public static bool IsChosen(TestedKernel kernel, int multiprocessorKilobytes)
    {
        var same = KernelVariants.All.Where(v => v.MultiprocessorKilobytes <= multiprocessorKilobytes
            && v.Operation == kernel.Variant.Operation && v.ElementType == kernel.Type
            && v.HeadDim == kernel.HeadDim && v.BlockColumns == kernel.BlockColumns
                && v.IsPaged == kernel.Variant.IsPaged && v.Rows == kernel.Rows && v.GroupHeads == kernel.Heads);
        return kernel.Variant.HeadDim == 0 || same.FirstOrDefault() == kernel.Variant;
    }

    /// <summary>The problems that kernels of some operations are run on; see <see
    /// cref="TestedKernel.Problems"/>.</summary>
    public static IEnumerable<string> Problems(params KernelOperation[] operations) =>
        Having(operations).Select(k => k.Problems).Distinct();

    /// <summary>The kernels of some operations that share problems.</summary>
    public static TestedKernel[] WithProblems(string problems, params KernelOperation[] operations) =>
        [.. Having(operations).Where(k => k.Problems == problems)];

    /// <summary>Names of the kernels that compute some operations.</summary>
    public static IEnumerable<string> Names(params KernelOperation[] operations) =>
        Having(operations).Select(k => k.Variant.Name);

    /// <summary>This run's kernel of a family.</summary>
    public static TestedKernel Choose(string family)
    {
        TestedKernel[] members = [.. All.Where(k => k.Family == family)];
        return members[Seeds.NewRandom().Next(members.Length)];
    }

    /// <summary>The kernel of a name in the table.</summary>
    public static TestedKernel Named(string name) => All.Single(k => k.Variant.Name == name);

    public static InterpretedKernel MergeOf(ElementType type) =>
        _companions.Single(k => k.Variant.Operation == KernelOperation.Merge && k.Type == type).Kernel;

    public static InterpretedKernel DeltaOf(ElementType type, int headDim) =>
        _companions.Single(k => k.Variant.Operation == KernelOperation.Delta && k.Type == type
        && k.HeadDim == headDim).Kernel;
}

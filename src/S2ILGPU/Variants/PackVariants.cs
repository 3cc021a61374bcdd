using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Tensors;

namespace S2ILGPU.Variants;

/// <summary>The kernels that pack column operands.</summary>
internal static class PackVariants
{
    /// <summary>For each element type one that copies in 16 bytes and one that takes rows at any place.</summary>
    public static IEnumerable<KernelVariant> All()
    {
        foreach (var (type, element, _) in KernelVariants.Elements)
        {
            yield return Variant(NameOf(type, isAligned: true), typeof(Pack).GetMethod(nameof(Pack.Copy))!, type,
                "rows at multiples of 16 bytes are copied as they are");
            var stored = type == ElementType.BFloat16 ? typeof(StoredBFloat16) : typeof(StoredHalf);
            yield return Variant(NameOf(type, isAligned: false),
                typeof(Pack).GetMethod(nameof(Pack.CopyElements))!.MakeGenericMethod(element, stored), type,
                "rows at other places are copied element by element");
        }
    }

    /// <summary>Name of the kernel that packs rows of a type, at multiples of 16 bytes or at any place.</summary>
    public static string NameOf(ElementType type, bool isAligned)
    {
        string name = KernelVariants.Elements.Single(element => element.Type == type).Name;
        return $"pack-{name}-{(isAligned ? "aligned" : "unaligned")}";
    }

    private static KernelVariant Variant(string name, System.Reflection.MethodInfo method, ElementType type,
        string reason) => new()
    {
        Name = name,
        Operation = KernelOperation.Pack,
        Method = method,
        ElementType = type,
        Rows = 64,
        Threads = Pack.Threads,
        Reason = reason,
    };
}

using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Attention.TensorCore;
using S2ILGPU.Tensors;

namespace S2ILGPU.Variants;

/// <summary>The kernels that pack column operands.</summary>
internal static class PackVariants
{
    /// <summary>For each element type one that copies and three that convert.</summary>
    public static IEnumerable<KernelVariant> All()
    {
        foreach (var (type, element, name) in KernelVariants.Elements)
        {
            yield return Variant($"pack-{name}-aligned", typeof(Pack).GetMethod(nameof(Pack.Copy))!, type,
                "rows of the same type at multiples of 16 bytes are copied as they are");
            foreach (var (stored, storedName) in new[] { (typeof(StoredSingle), "fp32"),
                (typeof(StoredBFloat16), "bf16"), (typeof(StoredHalf), "fp16") })
            {
                yield return Variant($"pack-{name}-from-{storedName}",
                    typeof(Pack).GetMethod(nameof(Pack.Convert))!.MakeGenericMethod(element, stored), type,
                    "other types, or rows at other places");
            }
        }
    }

    /// <summary>Name of the kernel that packs to a type: from rows of another type or at any place, or (null) of the
    /// same type at multiples of 16 bytes.</summary>
    public static string NameOf(ElementType type, ElementType? stored) =>
        $"pack-{Short(type)}-{(stored is { } from ? $"from-{Short(from)}" : "aligned")}";

    private static string Short(ElementType type) =>
        type switch { ElementType.BFloat16 => "bf16", ElementType.Float16 => "fp16", _ => "fp32" };

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

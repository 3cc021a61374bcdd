using System.Reflection;
using S2ILGPU.Kernels;
using S2ILGPU.Tensors;
using S2ILGPU.Tiles;

namespace S2ILGPU.Launch;

/// <summary>All attention kernels, best first: the rows of <see cref="AttentionLaunchTable"/> for every element type, block and placement of keys.</summary>
internal static class KernelVariants
{
    private static readonly Dictionary<int, Type> s_numbers = typeof(INumber).Assembly.GetTypes()
        .Where(type => type.IsValueType && !type.IsGenericType && type.IsAssignableTo(typeof(INumber)))
        .ToDictionary(type => (int)type.GetProperty(nameof(INumber.Value))!.GetValue(null)!);

    private static readonly Lazy<IReadOnlyList<KernelVariant>> s_all = new(() => [.. TensorCore(), .. Portable()]);

    /// <summary>The variants.</summary>
    public static IReadOnlyList<KernelVariant> All => s_all.Value;

    /// <summary>The number as a type that kernels are compiled for.</summary>
    public static Type Number(int value) => s_numbers.TryGetValue(value, out var type) ? type : throw new ArgumentException($"there is no type for the number {value}");

    /// <summary>The element type that kernels are compiled for.</summary>
    public static Type Element(ElementType type) => type == ElementType.BFloat16 ? typeof(BFloat16Element) : typeof(HalfElement);

    private static IEnumerable<KernelVariant> TensorCore()
    {
        foreach (var type in (ElementType[])[ElementType.BFloat16, ElementType.Float16])
            foreach (int block in (int[])[64, 32, 16])
            {
                foreach (var row in AttentionLaunchTable.Forward)
                    foreach (bool paged in (bool[])[false, true])
                        yield return Forward(row, type, block, paged);
                foreach (var row in AttentionLaunchTable.Decode)
                    foreach (bool paged in (bool[])[true, false])
                        yield return Decode(row, type, block, paged);
                foreach (var row in AttentionLaunchTable.Backward)
                    yield return Backward(row, type, block);
            }
    }

    private static KernelVariant Forward(ForwardRow row, ElementType type, int block, bool paged)
    {
        var shape = typeof(ForwardShape<,,,,,,>).MakeGenericType(Number(row.HeadDim), Number(row.Warps), Number(row.RowTiles), Number(row.Step), Number(row.Stages), Number(block), Placement(paged));
        return new KernelVariant
        {
            Name = $"forward-{Short(type)}-d{row.HeadDim}-w{row.Warps}m{row.RowTiles}n{row.Step}s{row.Stages}-b{block}{Suffix(paged)}", Operation = AttentionOperation.Forward, ElementType = type,
            HeadDim = row.HeadDim, BlockColumns = block, IsPaged = paged, RowsPerTile = 16 * row.RowTiles * row.Warps, Threads = 32 * row.Warps, MinGroups = row.MinGroups,
            SharedBytes = Number(typeof(Forward), nameof(Kernels.Forward.SharedBytes), shape), UsesTensorCores = true, FromArchitecture = row.From, BelowArchitecture = row.Below, Reason = row.Reason,
            Method = Kernel(typeof(Forward), Element(type), shape),
        };
    }

    private static KernelVariant Decode(DecodeRow row, ElementType type, int block, bool paged)
    {
        var shape = typeof(DecodeShape<,,,,>).MakeGenericType(Number(row.HeadDim), Number(row.GroupHeads), Number(row.Stages), Number(block), Placement(paged));
        return new KernelVariant
        {
            Name = $"decode-{Short(type)}-d{row.HeadDim}-g{row.GroupHeads}s{row.Stages}-b{block}{Suffix(paged)}", Operation = AttentionOperation.Decode, ElementType = type, HeadDim = row.HeadDim,
            BlockColumns = block, IsPaged = paged, RowsPerTile = 1, GroupHeads = row.GroupHeads, Threads = Kernels.Decode.Threads, MinGroups = row.MinGroups,
            SharedBytes = Number(typeof(Decode), nameof(Kernels.Decode.SharedBytes), shape), UsesTensorCores = true, FromArchitecture = 80, Reason = row.Reason, Method = Kernel(typeof(Decode), Element(type), shape),
        };
    }

    private static KernelVariant Backward(BackwardRow row, ElementType type, int block)
    {
        var (gradients, operation) = row.Gradients switch
        {
            "dq" => (typeof(QueryGradient), AttentionOperation.QueryGradient),
            "dk" => (typeof(KeyGradient), AttentionOperation.KeyGradient),
            "dv" => (typeof(ValueGradient), AttentionOperation.ValueGradient),
            _ => (typeof(KeyAndValueGradients), AttentionOperation.KeyAndValueGradients),
        };
        var shape = typeof(BackwardShape<,,,,,>).MakeGenericType(gradients, Number(row.HeadDim), Number(row.Step), row.RowsInRegisters ? typeof(RowsInRegisters) : typeof(RowsInShared), Number(row.SecondBuffers), Number(block));
        return new KernelVariant
        {
            Name = $"{row.Gradients}-{Short(type)}-d{row.HeadDim}-n{row.Step}{(row.RowsInRegisters ? "r" : "s")}{row.SecondBuffers}-b{block}", Operation = operation, ElementType = type, HeadDim = row.HeadDim,
            BlockColumns = block, RowsPerTile = 64, Threads = Kernels.Backward.Threads, MinGroups = row.MinGroups,
            SharedBytes = (int)typeof(BackwardMemory<>).MakeGenericType(shape).GetProperty("Bytes")!.GetValue(null)!, UsesTensorCores = true, FromArchitecture = row.From, BelowArchitecture = row.Below,
            Reason = row.Reason, Method = Kernel(typeof(Backward), Element(type), shape),
        };
    }

    private static IEnumerable<KernelVariant> Portable()
    {
        const string reason = "single precision on any accelerator";
        const int forwardBytes = 37 * 1024, backwardBytes = 36 * 1024, decodeBytes = 3 * 1024;
        KernelVariant Of(string name, AttentionOperation operation, Type kernel, Type argument, int rows, int bytes) => new()
        {
            Name = name, Operation = operation, ElementType = ElementType.Float32, RowsPerTile = rows, Threads = PortableTiles.Threads, SharedBytes = bytes, UsesTensorCores = false, Reason = reason,
            Method = kernel.GetMethod("Kernel")!.MakeGenericMethod(argument),
        };
        yield return Of("forward-portable", AttentionOperation.Forward, typeof(PortableForward), typeof(StoredSingle), 64, forwardBytes);
        yield return Of("decode-portable", AttentionOperation.Decode, typeof(PortableDecode), typeof(StoredSingle), 1, decodeBytes);
        yield return Of("dq-portable", AttentionOperation.QueryGradient, typeof(PortableBackward), typeof(QueryRows), 64, backwardBytes);
        yield return Of("dkdv-portable", AttentionOperation.KeyAndValueGradients, typeof(PortableBackward), typeof(KeyRows), 64, backwardBytes);
    }

    private static MethodInfo Kernel(Type type, Type element, Type shape) => type.GetMethod("Kernel")!.MakeGenericMethod(element, shape);

    private static int Number(Type type, string method, Type shape) => (int)type.GetMethod(method)!.MakeGenericMethod(shape).Invoke(null, null)!;

    private static Type Placement(bool paged) => paged ? typeof(InPages) : typeof(InBlocks);

    private static string Suffix(bool paged) => paged ? "-pages" : "";

    private static string Short(ElementType type) => type == ElementType.BFloat16 ? "bf16" : "fp16";
}

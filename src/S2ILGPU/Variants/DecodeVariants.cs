using S2ILGPU.Kernels.Attention.TensorCore;

namespace S2ILGPU.Variants;

/// <summary>The decode and merge kernels. Decoding waits for memory: two tiles per warp in flight are 128 KB and more
/// per multiprocessor, six times what latency times bandwidth asks for.</summary>
internal static class DecodeVariants
{
    // head dim, tiles in a ring, KB of a multiprocessor from which on it is chosen, reason
    private static readonly (int HeadDim, int Stages, int Kilobytes, string Reason)[] s_rows =
    [
        (64, 3, 100, "48 KB: tiles are small, so a third one is free"),
        (80, 2, 100, "40 KB: five groups per multiprocessor on H100, four on A100, two in 100 KB"),
        (96, 2, 100, "48 KB: four groups per multiprocessor on H100, three on A100"),
        (112, 2, 100, "56 KB: four groups per multiprocessor on H100, two on A100"),
        (128, 2, 100, "64 KB: three groups per multiprocessor on H100, two on A100; a third tile would cost one"),
        (192, 2, 100, "96 KB: two groups per multiprocessor on H100, otherwise one"),
        (256, 2, 164, "128 KB: one group per multiprocessor"),
        (256, 1, 100, "64 KB: nothing is copied ahead, but it fits"),
    ];

    /// <summary>One variant for each row, group size, element type, size of blocks and placement; large groups
    /// first.</summary>
    public static IEnumerable<KernelVariant> All()
    {
        foreach (var row in s_rows)
        {
            foreach (int heads in new[] { 8, 4, 2, 1 })
            {
                foreach (var element in KernelVariants.Elements)
                {
                    foreach (int columns in KernelVariants.BlockColumns.ToArray())
                    {
                        yield return Variant(row, heads, element, columns, isPaged: false);
                        yield return Variant(row, heads, element, columns, isPaged: true);
                    }
                }
            }
        }
        foreach (var (type, element, name) in KernelVariants.Elements)
        {
            yield return new KernelVariant
            {
                Name = $"merge-{name}",
                Operation = KernelOperation.Merge,
                Method = typeof(Merge).GetMethod(nameof(Merge.Kernel))!.MakeGenericMethod(element),
                ElementType = type,
                Threads = Merge.Threads,
                Reason = "joins the parts of a list",
            };
        }
    }

    private static KernelVariant Variant((int HeadDim, int Stages, int Kilobytes, string Reason) row, int heads,
        (Tensors.ElementType Type, Type Element, string Name) element, int columns, bool isPaged)
    {
        Type[] numbers = [.. new[] { row.HeadDim, heads, row.Stages, columns }.Select(KernelVariants.Number),
            KernelVariants.Placement(isPaged)];
        var shape = typeof(DecodeShape<,,,,>).MakeGenericType(numbers);
        return new KernelVariant
        {
            Name = $"decode-{element.Name}-d{row.HeadDim}-ring{row.Stages}-heads{heads}-block{columns}"
                + (isPaged ? "-paged" : ""),
            Operation = KernelOperation.Decode,
            Method = typeof(Decode).GetMethod(nameof(Decode.Kernel))!.MakeGenericMethod(element.Element, shape),
            ElementType = element.Type,
            HeadDim = row.HeadDim,
            BlockColumns = columns,
            IsPaged = isPaged,
            Rows = 1,
            GroupHeads = heads,
            Threads = Decode.Threads,
            SharedBytes = KernelVariants.SharedBytes(typeof(Decode), shape),
            MultiprocessorKilobytes = row.Kilobytes,
            Reason = row.Reason,
        };
    }
}

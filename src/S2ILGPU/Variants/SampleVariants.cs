using S2ILGPU.Kernels.Attention.TensorCore;

namespace S2ILGPU.Variants;

/// <summary>The kernels that score sampled rows.</summary>
internal static class SampleVariants
{
    // head dim, buffers, KB of a multiprocessor from which on it is chosen, reason
    private static readonly (int HeadDim, int Stages, int Kilobytes, string Reason)[] s_rows =
    [
        (64, 2, 100, "32 KB: three groups in 100 KB"),
        (80, 2, 100, "40 KB: two groups in 100 KB"),
        (96, 2, 100, "48 KB: two groups in 100 KB"),
        (112, 2, 164, "56 KB: two groups per multiprocessor on A100"),
        (112, 1, 100, "42 KB: two groups in 100 KB need a single buffer"),
        (128, 2, 164, "64 KB: two groups per multiprocessor on A100, three on H100"),
        (128, 1, 100, "48 KB: two groups in 100 KB need a single buffer"),
        (192, 1, 100, "72 KB: two groups per multiprocessor on A100, three on H100"),
        (256, 1, 100, "96 KB: one group per multiprocessor on A100, two on H100"),
    ];

    /// <summary>One variant for each row, element type, size of blocks and placement.</summary>
    public static IEnumerable<KernelVariant> All()
    {
        foreach (var row in s_rows)
            foreach (var element in KernelVariants.Elements)
                foreach (int columns in KernelVariants.BlockColumns.ToArray())
                {
                    yield return Variant(row, element, columns, isPaged: false);
                    yield return Variant(row, element, columns, isPaged: true);
                }
    }

    private static KernelVariant Variant((int HeadDim, int Stages, int Kilobytes, string Reason) row,
        (Tensors.ElementType Type, Type Element, string Name) element, int columns, bool isPaged)
    {
        Type[] numbers = [.. new[] { row.HeadDim, row.Stages, columns }.Select(KernelVariants.Number),
            KernelVariants.Placement(isPaged)];
        var shape = typeof(SampleShape<,,,>).MakeGenericType(numbers);
        return new KernelVariant
        {
            Name = $"sample-{element.Name}-d{row.HeadDim}-buffers{row.Stages}-from{row.Kilobytes}-block{columns}"
                + (isPaged ? "-paged" : ""),
            Operation = KernelOperation.Sample,
            Method = typeof(SampleTiles).GetMethod(nameof(SampleTiles.Kernel))!
                .MakeGenericMethod(element.Element, shape),
            ElementType = element.Type,
            HeadDim = row.HeadDim,
            BlockColumns = columns,
            IsPaged = isPaged,
            Rows = SampleTiles.Rows,
            Threads = SampleTiles.Threads,
            SharedBytes = KernelVariants.SharedBytes(typeof(SampleTiles), shape),
            MultiprocessorKilobytes = row.Kilobytes,
            Reason = row.Reason,
        };
    }
}

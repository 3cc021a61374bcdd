using S2ILGPU.Kernels;

namespace S2ILGPU.Launch;

/// <summary>The backward kernels.</summary>
internal static class BackwardVariants
{
    // gradients, operation, head dim, columns of S at a time, rows in registers, buffers of C2, groups per multiprocessor, KB of a multiprocessor from which on it is chosen, reason; preferred rows first
    private static readonly (Type Gradients, KernelOperation Operation, int HeadDim, int Step, bool InRegisters, int SecondBuffers, int? MinGroups, int Kilobytes, string Reason)[] _rows =
    [
        (typeof(KeyAndValueGradients), KernelOperation.KeyValueGradient, 64, 16, true, 2, 3, 100, "168 registers: three groups per multiprocessor; the chains of products are short"),
        (typeof(KeyAndValueGradients), KernelOperation.KeyValueGradient, 96, 64, false, 2, null, 164, "accumulators of both gradients take 192 registers, so rows stay in shared memory"),
        (typeof(KeyAndValueGradients), KernelOperation.KeyValueGradient, 96, 64, false, 1, null, 100, "a single buffer fits into 99 KB"),
        (typeof(KeyAndValueGradients), KernelOperation.KeyValueGradient, 128, 64, false, 2, null, 228, "97.5 KB, two groups per multiprocessor, no spills"),
        (typeof(KeyAndValueGradients), KernelOperation.KeyValueGradient, 128, 64, false, 1, null, 100, "a single buffer: two groups per multiprocessor on A100"),
        (typeof(KeyGradient), KernelOperation.KeyGradient, 256, 64, false, 1, null, 164, "accumulators of dK and dV together would take 256 registers"),
        (typeof(ValueGradient), KernelOperation.ValueGradient, 256, 64, false, 1, null, 164, "accumulators of dK and dV together would take 256 registers"),
        (typeof(QueryGradient), KernelOperation.QueryGradient, 64, 64, true, 2, null, 100, "132 registers, three groups"),
        (typeof(QueryGradient), KernelOperation.QueryGradient, 96, 64, true, 2, null, 100, "rows stay in registers as for 64 and 128"),
        (typeof(QueryGradient), KernelOperation.QueryGradient, 128, 64, true, 2, null, 100, "241 registers, two groups, the largest share of tensor instructions"),
        (typeof(QueryGradient), KernelOperation.QueryGradient, 256, 64, false, 1, null, 164, "dQ alone takes 128 registers; single buffers"),
    ];

    /// <summary>One variant for each row, element type and size of blocks, and delta for each element type and head dim.</summary>
    public static IEnumerable<KernelVariant> All()
    {
        foreach (var row in _rows)
            foreach (var (type, element, name) in KernelVariants.Elements)
                foreach (int columns in KernelVariants.BlockColumns.ToArray())
                {
                    var rows = row.InRegisters ? typeof(RowsInRegisters) : typeof(RowsInShared);
                    var shape = typeof(BackwardShape<,,,,,>).MakeGenericType(row.Gradients, KernelVariants.Number(row.HeadDim), KernelVariants.Number(row.Step), rows, KernelVariants.Number(row.SecondBuffers), KernelVariants.Number(columns));
                    yield return new KernelVariant
                    {
                        Name = $"{NameOf(row.Operation)}-{name}-d{row.HeadDim}-step{row.Step}-{(row.InRegisters ? "registers" : "shared")}-buffers{row.SecondBuffers}-from{row.Kilobytes}-block{columns}",
                        Operation = row.Operation, Method = typeof(Backward).GetMethod(nameof(Backward.Kernel))!.MakeGenericMethod(element, shape), ElementType = type, HeadDim = row.HeadDim, BlockColumns = columns,
                        Rows = 64, Threads = Backward.Threads, SharedBytes = (int)typeof(BackwardMemory<>).MakeGenericType(shape).GetProperty("Bytes")!.GetValue(null)!, MinGroups = row.MinGroups,
                        MultiprocessorKilobytes = row.Kilobytes, Reason = row.Reason,
                    };
                }
        foreach (int headDim in KernelVariants.HeadDims.ToArray())
            foreach (var (type, element, name) in KernelVariants.Elements)
            {
                var elements = typeof(EightHalves<>).MakeGenericType(element);
                yield return new KernelVariant
                {
                    Name = $"delta-{name}-d{headDim}", Operation = KernelOperation.Delta, Method = typeof(Delta).GetMethod(nameof(Delta.Kernel))!.MakeGenericMethod(elements, elements, KernelVariants.Number(headDim)),
                    ElementType = type, HeadDim = headDim, Rows = 64, Threads = Delta.Threads, Reason = "one pass over O and dO",
                };
            }
    }

    private static string NameOf(KernelOperation operation) => operation switch
    {
        KernelOperation.QueryGradient => "dq",
        KernelOperation.KeyGradient => "dk",
        KernelOperation.ValueGradient => "dv",
        _ => "dkdv",
    };
}

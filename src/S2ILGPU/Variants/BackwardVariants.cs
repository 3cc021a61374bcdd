using S2ILGPU.Kernels.Attention.TensorCore;

namespace S2ILGPU.Variants;

/// <summary>The backward kernels. No variant spills on an architecture that chooses it (ptxas 11.8); those from 228 KB
/// on are for sm_90 and later.</summary>
internal static class BackwardVariants
{
    private static readonly (KernelOperation Operation, Type Gradients, int HeadDim, int Step, bool InRegisters,
        int StageColumns, int SecondBuffers, int Kilobytes, string Reason)[] s_rows =
    [
        (KernelOperation.KeyValueGradient, typeof(KeyAndValueGradients), 64, 16, true, 64, 2, 100,
            "16 columns at a time leave registers for three groups per multiprocessor"),
        (KernelOperation.KeyValueGradient, typeof(KeyAndValueGradients), 80, 32, true, 64, 2, 100,
            "rows in registers: two groups in 100 KB"),
        (KernelOperation.KeyValueGradient, typeof(KeyAndValueGradients), 96, 32, true, 64, 2, 100,
            "rows in registers: two groups in 100 KB"),
        (KernelOperation.KeyValueGradient, typeof(KeyAndValueGradients), 112, 32, true, 64, 2, 100,
            "rows in registers: two groups of 57 KB in 164 KB"),
        (KernelOperation.KeyValueGradient, typeof(KeyAndValueGradients), 128, 64, false, 64, 2, 228,
            "two groups of 97 KB; one barrier per tile"),
        (KernelOperation.KeyValueGradient, typeof(KeyAndValueGradients), 128, 64, false, 64, 1, 100,
            "one buffer for dO: two groups of 81 KB in 164 KB"),
        (KernelOperation.KeyGradient, typeof(KeyGradient), 192, 64, false, 64, 1, 164,
            "121 KB with one buffer for dO; two accumulators of 192 columns do not fit the registers"),
        (KernelOperation.KeyGradient, typeof(KeyGradient), 192, 16, false, 16, 2, 100,
            "73 KB with buffers of 16 columns; rows in registers would spill"),
        (KernelOperation.ValueGradient, typeof(ValueGradient), 192, 64, true, 64, 2, 100,
            "97 KB: no V, so the rows fit the registers"),
        (KernelOperation.KeyGradient, typeof(KeyGradient), 256, 64, false, 64, 1, 164,
            "161 KB with one buffer for dO; two accumulators of 256 columns do not fit the registers"),
        (KernelOperation.KeyGradient, typeof(KeyGradient), 256, 16, false, 16, 2, 100,
            "97 KB with buffers of 16 columns"),
        (KernelOperation.ValueGradient, typeof(ValueGradient), 256, 64, false, 64, 2, 164,
            "161 KB: no V, so both Q and dO have two buffers"),
        (KernelOperation.ValueGradient, typeof(ValueGradient), 256, 16, false, 16, 2, 100,
            "65 KB with buffers of 16 columns"),
        (KernelOperation.QueryGradient, typeof(QueryGradient), 64, 64, true, 64, 2, 100,
            "three groups per multiprocessor"),
        (KernelOperation.QueryGradient, typeof(QueryGradient), 80, 32, true, 64, 2, 100,
            "32 columns at a time leave registers for three groups per multiprocessor"),
        (KernelOperation.QueryGradient, typeof(QueryGradient), 96, 32, true, 64, 2, 100,
            "32 columns at a time leave registers for three groups per multiprocessor"),
        (KernelOperation.QueryGradient, typeof(QueryGradient), 112, 64, true, 64, 2, 100,
            "rows in registers: two groups of 56 KB in 164 KB"),
        (KernelOperation.QueryGradient, typeof(QueryGradient), 128, 64, true, 64, 2, 100,
            "rows in registers: two groups of 64 KB"),
        (KernelOperation.QueryGradient, typeof(QueryGradient), 192, 64, false, 64, 1, 164,
            "120 KB with one buffer for V"),
        (KernelOperation.QueryGradient, typeof(QueryGradient), 192, 16, false, 16, 2, 100,
            "72 KB with buffers of 16 columns; rows in registers would spill"),
        (KernelOperation.QueryGradient, typeof(QueryGradient), 256, 64, false, 64, 1, 164,
            "160 KB with one buffer for V"),
        (KernelOperation.QueryGradient, typeof(QueryGradient), 256, 16, false, 16, 2, 100,
            "96 KB with buffers of 16 columns"),
    ];

    /// <summary>One variant for each row, element type and size of blocks, and the kernels that prepare
    /// delta.</summary>
    public static IEnumerable<KernelVariant> All()
    {
        foreach (var row in s_rows)
        {
            foreach (var (type, element, name) in KernelVariants.Elements)
            {
                foreach (int columns in KernelVariants.BlockColumns.ToArray())
                {
                    var shape = typeof(BackwardShape<,,,,,,>)
                        .MakeGenericType(row.Gradients, KernelVariants.Number(row.HeadDim),
                        KernelVariants.Number(row.Step),
                        row.InRegisters ? typeof(RowsInRegisters) : typeof(RowsInShared),
                        KernelVariants.Number(row.StageColumns), KernelVariants.Number(row.SecondBuffers),
                        KernelVariants.Number(columns));
                    yield return new KernelVariant
                    {
                        Name = $"{row.Operation.ShortName()}-{name}-d{row.HeadDim}-from{row.Kilobytes}-block{columns}",
                        Operation = row.Operation,
                        Method = typeof(Backward).GetMethod(nameof(Backward.Kernel))!.MakeGenericMethod(element, shape),
                        ElementType = type,
                        HeadDim = row.HeadDim,
                        BlockColumns = columns,
                        Rows = 64,
                        Threads = Backward.Threads,
                        SharedBytes = (int)typeof(BackwardMemory<>).MakeGenericType(shape)
                            .GetProperty("Bytes")!.GetValue(null)!,
                        MultiprocessorKilobytes = row.Kilobytes,
                        Reason = row.Reason,
                    };
                }
            }
        }
        foreach (var variant in Deltas())
            yield return variant;
    }

    private static IEnumerable<KernelVariant> Deltas()
    {
        foreach (var (type, element, name) in KernelVariants.Elements)
        {
            foreach (int headDim in KernelVariants.HeadDims.ToArray())
            {
                var elements = typeof(EightHalves<>).MakeGenericType(element);
                yield return new KernelVariant
                {
                    Name = $"delta-{name}-d{headDim}",
                    Operation = KernelOperation.Delta,
                    Method = typeof(Delta).GetMethod(nameof(Delta.Kernel))!.MakeGenericMethod(elements, elements,
                        KernelVariants.Number(headDim)),
                    ElementType = type,
                    HeadDim = headDim,
                    Rows = 64,
                    Threads = Delta.Threads,
                    Reason = "one pass over O and dO, which are read as they are stored",
                };
            }
        }
    }
}

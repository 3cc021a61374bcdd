using S2ILGPU.Kernels;
using S2ILGPU.Tensors;

namespace S2ILGPU.Launch;

/// <summary>The backward kernels. No variant spills on an architecture that chooses it (ptxas 11.8); those from 228 KB on are for sm_90 and later.</summary>
internal static class BackwardVariants
{
    private static readonly (KernelOperation Operation, Type Gradients, int HeadDim, int Step, bool InRegisters, int SecondBuffers, int Kilobytes, string Reason)[] _rows =
    [
        (KernelOperation.KeyValueGradient, typeof(KeyAndValueGradients), 64, 16, true, 2, 100, "16 columns at a time leave registers for three groups per multiprocessor"),
        (KernelOperation.KeyValueGradient, typeof(KeyAndValueGradients), 96, 32, true, 2, 100, "rows in registers: two groups in 100 KB"),
        (KernelOperation.KeyValueGradient, typeof(KeyAndValueGradients), 128, 64, false, 2, 228, "two groups of 97 KB; one barrier per tile"),
        (KernelOperation.KeyValueGradient, typeof(KeyAndValueGradients), 128, 64, false, 1, 100, "one buffer for dO: two groups of 81 KB in 164 KB"),
        (KernelOperation.KeyGradient, typeof(KeyGradient), 256, 64, false, 1, 164, "161 KB with one buffer for dO; two accumulators of 256 columns do not fit the registers"),
        (KernelOperation.ValueGradient, typeof(ValueGradient), 256, 64, false, 2, 164, "161 KB: no V, so both Q and dO have two buffers"),
        (KernelOperation.QueryGradient, typeof(QueryGradient), 64, 64, true, 2, 100, "three groups per multiprocessor"),
        (KernelOperation.QueryGradient, typeof(QueryGradient), 96, 32, true, 2, 100, "32 columns at a time leave registers for three groups per multiprocessor"),
        (KernelOperation.QueryGradient, typeof(QueryGradient), 128, 64, true, 2, 100, "rows in registers: two groups of 64 KB"),
        (KernelOperation.QueryGradient, typeof(QueryGradient), 256, 64, false, 1, 164, "160 KB with one buffer for V"),
    ];

    /// <summary>One variant for each row, element type and size of blocks, and the kernels that prepare delta.</summary>
    public static IEnumerable<KernelVariant> All()
    {
        foreach (var row in _rows)
        {
            foreach (var (type, element, name) in KernelVariants.Elements)
            {
                foreach (int columns in KernelVariants.BlockColumns.ToArray())
                {
                    var shape = typeof(BackwardShape<,,,,,>).MakeGenericType(row.Gradients, KernelVariants.Number(row.HeadDim), KernelVariants.Number(row.Step),
                        row.InRegisters ? typeof(RowsInRegisters) : typeof(RowsInShared), KernelVariants.Number(row.SecondBuffers), KernelVariants.Number(columns));
                    yield return new KernelVariant
                    {
                        Name = $"{OperationName(row.Operation)}-{name}-d{row.HeadDim}-from{row.Kilobytes}-block{columns}",
                        Operation = row.Operation,
                        Method = typeof(Backward).GetMethod(nameof(Backward.Kernel))!.MakeGenericMethod(element, shape),
                        ElementType = type,
                        HeadDim = row.HeadDim,
                        BlockColumns = columns,
                        Rows = 64,
                        Threads = Backward.Threads,
                        SharedBytes = (int)typeof(BackwardMemory<>).MakeGenericType(shape).GetProperty("Bytes")!.GetValue(null)!,
                        MultiprocessorKilobytes = row.Kilobytes,
                        Reason = row.Reason,
                    };
                }
            }
        }
        foreach (var variant in Deltas())
            yield return variant;
    }

    /// <summary>The kernel that computes a gradient on a device, or null where there is none.</summary>
    /// <param name="operation">Which gradient. Where <see cref="KernelOperation.KeyValueGradient"/> does not exist for a head dim,
    /// <see cref="KernelOperation.KeyGradient"/> and <see cref="KernelOperation.ValueGradient"/> do.</param>
    /// <param name="element">bfloat16 or half precision.</param>
    /// <param name="headDim">D.</param>
    /// <param name="blockColumns">Columns of a block.</param>
    /// <param name="multiprocessorKilobytes">Shared memory of a multiprocessor in KB.</param>
    public static KernelVariant? Gradient(KernelOperation operation, ElementType element, int headDim, int blockColumns, int multiprocessorKilobytes) =>
        KernelVariants.All.FirstOrDefault(v => v.Operation == operation && v.ElementType == element && v.HeadDim == headDim && v.BlockColumns == blockColumns
            && v.MultiprocessorKilobytes <= multiprocessorKilobytes);

    /// <summary>The kernel that prepares delta.</summary>
    /// <param name="element">bfloat16 or half precision, the type of O and dO where they are not floats.</param>
    /// <param name="headDim">D.</param>
    /// <param name="isOutputFloat">Whether O is stored as floats.</param>
    /// <param name="isGradientFloat">Whether dO is stored as floats.</param>
    public static KernelVariant Delta(ElementType element, int headDim, bool isOutputFloat, bool isGradientFloat)
    {
        string name = DeltaName(KernelVariants.Elements.First(e => e.Type == element).Name, headDim, isOutputFloat, isGradientFloat);
        return KernelVariants.All.First(v => v.Name == name);
    }

    private static IEnumerable<KernelVariant> Deltas()
    {
        foreach (var (type, element, name) in KernelVariants.Elements)
        {
            foreach (int headDim in KernelVariants.HeadDims.ToArray())
            {
                foreach (bool isOutputFloat in new[] { false, true })
                {
                    foreach (bool isGradientFloat in new[] { false, true })
                    {
                        yield return new KernelVariant
                        {
                            Name = DeltaName(name, headDim, isOutputFloat, isGradientFloat),
                            Operation = KernelOperation.Delta,
                            Method = typeof(Kernels.Delta).GetMethod(nameof(Kernels.Delta.Kernel))!
                                .MakeGenericMethod(Eight(element, isOutputFloat), Eight(element, isGradientFloat), KernelVariants.Number(headDim)),
                            ElementType = type,
                            HeadDim = headDim,
                            Rows = 64,
                            Threads = Kernels.Delta.Threads,
                            Reason = "O and dO are read as they are stored",
                        };
                    }
                }
            }
        }
    }

    private static Type Eight(Type element, bool isFloat) => isFloat ? typeof(EightFloats) : typeof(EightHalves<>).MakeGenericType(element);

    private static string DeltaName(string element, int headDim, bool isOutputFloat, bool isGradientFloat) =>
        $"delta-{element}-d{headDim}{(isOutputFloat ? "-float-output" : "")}{(isGradientFloat ? "-float-gradient" : "")}";

    private static string OperationName(KernelOperation operation) => operation switch
    {
        KernelOperation.KeyValueGradient => "dkdv",
        KernelOperation.KeyGradient => "dk",
        KernelOperation.ValueGradient => "dv",
        _ => "dq",
    };
}

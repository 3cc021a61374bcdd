using S2ILGPU.Kernels.Attention.TensorCore;

namespace S2ILGPU.Variants;

/// <summary>The forward kernels.</summary>
/// <remarks>
/// SASS instructions of the loop without masks, per warp and tile of 64 columns, and the share of HMMA, on sm_80 and
/// sm_90, from blocks of 64 to pages of 16 (ptxas 11.8). No variant spills on either.
/// <list type="table">
/// <item>D = 64: 64 rows 616 to 647, 20.8 to 19.8 %; 128 rows 608 to 639, 21.1 to 20.0 %</item>
/// <item>D = 80: 64 rows 666 to 677, 24 %; 128 rows 652, 24.5 %</item>
/// <item>D = 96: 64 rows 737 to 752, 26 % (blocks of 16: 418 to 424 for half as many rows per warp, 23 %); 128 rows 721
/// to 734, 26 %</item>
/// <item>D = 112: 64 rows 438, 26 %</item>
/// <item>D = 128: 64 rows 492 to 524, 26.0 to 24.4 %; single buffers 498 to 535, 25.7 to 23.9 %; 128 rows 476 to 492,
/// 26.9 to 26.0 %</item>
/// <item>D = 192: 64 rows 642 to 645, 30 %; 128 rows 615 to 625, 31 %</item>
/// <item>D = 256: 64 rows 772 to 799, 33 %; single buffers 777 to 816, 32 %; 128 rows 757 to 771, 33.5 %</item>
/// </list>
/// </remarks>
internal static class ForwardVariants
{
    private static readonly int[] s_all = [16, 32, 64];

    // head dim, rows, warps, 16-row tiles per warp, buffers, KB of a multiprocessor from which on it is chosen, columns
    // of a block, reason; preferred rows first
    private static readonly (int HeadDim, int Rows, int Warps, int RowTiles, int Stages, int Kilobytes, int[] Columns,
        string Reason)[] s_rows =
    [
        (64, 64, 2, 2, 2, 100, s_all, "32 rows per warp read each key once for two products"),
        (64, 128, 4, 2, 2, 100, s_all, "half the traffic of 64 rows, for lists that neighbouring blocks of rows share"),
        (80, 64, 2, 2, 2, 164, s_all, "32 rows per warp read each key once for two products"),
        (80, 64, 2, 2, 1, 100, s_all, "three groups in 100 KB need single buffers"),
        (80, 128, 4, 2, 2, 100, s_all, "half the traffic of 64 rows, for lists that neighbouring blocks of rows share"),
        (96, 64, 2, 2, 2, 100, [32, 64], "32 rows per warp read each key once for two products"),
        (96, 64, 4, 1, 2, 100, [16], "32 rows per warp with four blocks per tile spill 12 bytes on sm_90"),
        (96, 128, 4, 2, 2, 100, s_all, "half the traffic of 64 rows, for lists that neighbouring blocks of rows share"),
        (112, 64, 4, 1, 2, 100, s_all,
            "32 rows per warp spill 100 bytes; a pass of eight warps would copy more rows than a tile has"),
        (128, 64, 4, 1, 2, 164, s_all, "two groups per multiprocessor; 32 rows per warp spill 100 bytes"),
        (128, 64, 4, 1, 1, 100, s_all, "two groups per multiprocessor need single buffers"),
        (128, 128, 8, 1, 2, 100, s_all, "half the traffic of 64 rows; 32 rows per warp spill 100 bytes"),
        (192, 64, 4, 1, 1, 100, s_all, "72 KB: three groups per multiprocessor on H100, two on A100"),
        (192, 128, 8, 1, 2, 164, s_all, "half the traffic of 64 rows; one group, all memory for double buffers"),
        (192, 128, 8, 1, 1, 100, s_all, "half the traffic of 64 rows; 96 KB"),
        (256, 64, 4, 1, 1, 228, s_all, "two groups per multiprocessor need single buffers"),
        (256, 64, 4, 1, 2, 164, s_all, "one group per multiprocessor, all memory for double buffers"),
        (256, 64, 4, 1, 1, 100, s_all, "96 KB fit once"),
        (256, 128, 8, 1, 1, 164, s_all, "half the traffic of 64 rows"),
    ];

    /// <summary>One variant for each row, element type, size of blocks and placement.</summary>
    public static IEnumerable<KernelVariant> All()
    {
        foreach (var row in s_rows)
        {
            foreach (var element in KernelVariants.Elements)
            {
                foreach (int columns in row.Columns)
                {
                    yield return Variant(row, element, columns, isPaged: false);
                    yield return Variant(row, element, columns, isPaged: true);
                }
            }
        }
    }

    private static KernelVariant Variant((int HeadDim, int Rows, int Warps, int RowTiles, int Stages, int Kilobytes,
        int[] Columns, string Reason) row,
        (Tensors.ElementType Type, Type Element, string Name) element, int columns, bool isPaged)
    {
        Type[] numbers =
            [.. new[] { row.HeadDim, row.Warps, row.RowTiles, 64, row.Stages, columns }.Select(KernelVariants.Number),
            KernelVariants.Placement(isPaged)];
        var shape = typeof(ForwardShape<,,,,,,>).MakeGenericType(numbers);
        return new KernelVariant
        {
            Name = $"forward-{element.Name}-d{row.HeadDim}-rows{row.Rows}-buffers{row.Stages}"
                + $"-from{row.Kilobytes}-block{columns}{(isPaged ? "-paged" : "")}",
            Operation = KernelOperation.Forward,
            Method = typeof(Forward).GetMethod(nameof(Forward.Kernel))!.MakeGenericMethod(element.Element, shape),
            ElementType = element.Type,
            HeadDim = row.HeadDim,
            BlockColumns = columns,
            IsPaged = isPaged,
            Rows = row.Rows,
            Threads = row.Warps * 32,
            SharedBytes = KernelVariants.SharedBytes(typeof(Forward), shape),
            MultiprocessorKilobytes = row.Kilobytes,
            Reason = row.Reason,
        };
    }
}

using S2ILGPU.Kernels.MatMul.TensorCore;
using S2ILGPU.Tensors;
using S2ILGPU.Tiles;

namespace S2ILGPU.Variants;

/// <summary>The tensor-core kernels of matrix products, in the order of preference.</summary>
/// <remarks>
/// SASS instructions of the main loop per warp and turn of all stages, and the share of HMMA, on sm_80 and sm_90, for
/// the four forms (ptxas 11.8). No variant spills on either.
/// <list type="table">
/// <item>128 x 256, 4 stages: 755 to 799, 68 to 64 %; 3 stages: 577 to 606, 67 to 63 %; 226 to 248 registers</item>
/// <item>128 x 128: 597 to 638, 64 to 60 %; 224 to 255 registers</item>
/// <item>64 x 64: 284 to 367, 45 to 35 %; 72 to 102 registers</item>
/// <item>TF32: 29 %, 64 x 64 16 %, because rounding takes two instructions per operand; 228 to 242 registers, 64 x 64
/// 100 to 114. A product of TF32 takes the tensor cores as long as one of 16 bits, with half the steps</item>
/// </list>
/// </remarks>
internal static class MatMulVariants
{
    // rows and columns of a group, rows and columns of a warp, stages, KB of a multiprocessor from which on it is
    // chosen, groups that registers allow, rate, reason
    private static readonly TileRow[] s_tiles =
    [
        new(128, 256, 64, 64, 4, 228, 1, 1.0, "most products per byte read; 192 KB hide the latency of memory"),
        new(128, 256, 64, 64, 3, 164, 1, 1.0, "most products per byte read; three stages are what fits"),
        new(128, 128, 64, 64, 3, 100, 2, 0.9, "96 KB: two groups per multiprocessor of 228 KB, one of 100"),
        new(64, 64, 32, 32, 4, 100, 4, 0.5, "few tiles: four times as many groups; 64 KB"),
    ];

    // rows of C, 16-column tiles of C of a group, reason
    private static readonly (int Rows, int ColumnTiles, string Reason)[] s_fewRows =
    [
        (8, 1, "8 rows are the columns of one product, also where there are fewer"),
        (16, 1, "two products per load of B"),
        (32, 2, "32 columns per group read A half as often"),
        (64, 2, "32 columns per group read A half as often"),
    ];

    private static readonly (bool TransposeA, bool TransposeB, string Name)[] s_forms =
        [(false, false, "nn"), (false, true, "nt"), (true, false, "tn"), (true, true, "tt")];

    // Single precision is read as [M, K] and [N, K] alone: ldmatrix transposes elements of 16 bits, so the other forms
    // are transposed in memory first.
    private static readonly (ElementType Type, Type Element, string Name) s_tf32 =
        (ElementType.Float32, typeof(Tf32Element), "tf32");

    /// <summary>The table.</summary>
    public static IReadOnlyList<KernelVariant> All { get; } = [.. FewRows(), .. Tiles(), .. Sums()];

    /// <summary>Name of the kernel that adds the parts of a product of a type.</summary>
    public static string SumOf(ElementType type) =>
        $"partsum-{Elements.Single(element => element.Type == type).Name}";

    private static IEnumerable<(ElementType Type, Type Element, string Name)> Elements =>
        [.. KernelVariants.Elements, s_tf32];

    private static IEnumerable<KernelVariant> FewRows()
    {
        foreach (var (rows, columnTiles, reason) in s_fewRows)
            foreach (var (type, element, name) in KernelVariants.Elements)
            {
                Type[] numbers = [.. new[] { columnTiles, rows / 8 }.Select(KernelVariants.Number)];
                yield return new KernelVariant
                {
                    Name = $"fewrows-{name}-{rows}",
                    Operation = KernelOperation.FewRows,
                    Method = typeof(FewRowsProduct).GetMethod(nameof(FewRowsProduct.Kernel))!
                        .MakeGenericMethod([element, .. numbers, KernelVariants.Number(2 * columnTiles)]),
                    ElementType = type,
                    Rows = rows,
                    Columns = 16 * columnTiles,
                    TransposeB = true,
                    Threads = FewRowsProduct.Threads,
                    SharedBytes = KernelVariants.SharedBytes(typeof(FewRowsProduct), numbers),
                    Reason = reason,
                };
            }
    }

    private static IEnumerable<KernelVariant> Sums()
    {
        foreach (var (type, element, _) in Elements)
            yield return new KernelVariant
            {
                Name = SumOf(type),
                Operation = KernelOperation.PartSum,
                Method = typeof(PartSum).GetMethod(nameof(PartSum.Kernel))!.MakeGenericMethod(element),
                ElementType = type,
                Threads = PartSum.Threads,
                Reason = "adds the parts of K in their order",
            };
    }

    private static IEnumerable<KernelVariant> Tiles()
    {
        foreach (var tile in s_tiles)
            foreach (var form in s_forms)
                foreach (var element in Elements)
                    if (element != s_tf32 || form.Name == "nt")
                        yield return Tile(tile, form, element);
    }

    private static KernelVariant Tile(TileRow tile, (bool TransposeA, bool TransposeB, string Name) form,
        (ElementType Type, Type Element, string Name) element)
    {
        int threads = tile.Rows / tile.WarpRows * (tile.Columns / tile.WarpColumns) * 32;
        var shape = typeof(ProductShape<,,,,,,>).MakeGenericType([.. new[] { tile.Rows, tile.Columns, tile.WarpRows,
            tile.WarpColumns, tile.Stages }.Select(KernelVariants.Number), Order(form.TransposeA),
            Order(form.TransposeB)]);
        Type a = Operand(tile.Rows, form.TransposeA, threads, tile.WarpRows / 16),
            b = Operand(tile.Columns, !form.TransposeB, threads, 1);
        return new KernelVariant
        {
            Name = $"matmul-{element.Name}-{form.Name}-{tile.Rows}x{tile.Columns}-stages{tile.Stages}",
            Operation = KernelOperation.MatMul,
            Method = typeof(MatrixProduct).GetMethod(nameof(MatrixProduct.Kernel))!
                .MakeGenericMethod(element.Element, shape, a, b),
            ElementType = element.Type,
            Rows = tile.Rows,
            Columns = tile.Columns,
            TransposeA = form.TransposeA,
            TransposeB = form.TransposeB,
            Threads = threads,
            SharedBytes = KernelVariants.SharedBytes(typeof(MatrixProduct), shape, a, b),
            RegisterResidents = tile.Residents,
            Rate = tile.Rate,
            MultiprocessorKilobytes = tile.Kilobytes,
            Reason = tile.Reason,
        };
    }

    private static Type Order(bool isTransposed) => isTransposed ? typeof(Transposed) : typeof(Plain);

    // A tile of 64 steps, as the matrix lies.
    private static Type Operand(int lanes, bool stepsAreRows, int threads, int rowTiles)
    {
        int[] numbers = stepsAreRows ? [64, lanes, threads, rowTiles] : [lanes, 64, threads, rowTiles];
        return typeof(MatrixTile<,,,>).MakeGenericType([.. numbers.Select(KernelVariants.Number)]);
    }

    private sealed record TileRow(int Rows, int Columns, int WarpRows, int WarpColumns, int Stages, int Kilobytes,
        int Residents, double Rate, string Reason);
}

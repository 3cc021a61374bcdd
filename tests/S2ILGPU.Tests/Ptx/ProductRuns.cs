using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Memory;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.TestSupport.Ptx;
using S2ILGPU.Variants;
using Xunit;

namespace S2ILGPU.Tests.Ptx;

/// <summary>Kernels of matrix products on the PTX machine, compared with float64.</summary>
internal static class ProductRuns
{
    private static readonly InterpretedKernel s_copy = new(
        ((Action<CopyArguments>)CopyKernel.Copy<StoredSingle, StoredSingle>).Method, 64) { IsPortable = true };

    /// <summary>A variant, ready for the PTX machine.</summary>
    public static InterpretedKernel KernelOf(KernelVariant variant) =>
        new(variant.Method, variant.Threads) { SharedBytes = variant.SharedBytes };

    /// <summary>Operands for a variant.</summary>
    public static ProductData DataOf(KernelVariant variant, ProductCase problem) =>
        new(problem, variant.ElementType, variant.TransposeA, variant.TransposeB, Seeds.NewRandom());

    /// <summary>Problems around the edges of a variant's tile and of its panels: all edges in turn, and sizes drawn by
    /// the seed.</summary>
    public static IEnumerable<ProductCase> Problems(KernelVariant variant)
    {
        var random = Seeds.NewRandom();
        int[] edges = [1, 7, 16, 63, 65, 130];
        int most = variant.Operation == KernelOperation.FewRows ? variant.Rows : int.MaxValue;
        // more panels than a turn of all stages
        yield return new(Math.Min(most, variant.Rows + 2), 17, 64 * 9 + 24, Gap: 8, ResultGap: 3, HasBias: true,
            HasResidual: true);
        yield return new(Math.Min(most, 3), variant.Columns + 9, 64 * 12, IsSingle: true, Accumulate: true);
        yield return new(Math.Min(most, 20), 30, 64 * 7 + 1, Parts: 3, ResultGap: 1, HasResidual: true);
        yield return new(Math.Min(most, 17), 36, 40, ResultGap: 4, HasBias: true, HasResidual: true);
        for (int n = 0; n < 3; n++)
            yield return WithAddends(new(Math.Min(most, random.Pick(edges)), random.Pick(edges), random.Pick(edges),
                Parts: random.Pick(1, 2), Gap: random.Pick(0, 8, 24), ResultGap: random.Pick(0, 1, 4),
                IsSingle: random.Next(2) == 0), random);
    }

    /// <summary>Problems around the edges of a tile of TF32, whose panels have 32 steps.</summary>
    public static IEnumerable<ProductCase> Tf32Problems(KernelVariant variant)
    {
        var random = Seeds.NewRandom();
        int[] steps = [1, 4, 31, 32, 33, 100];
        foreach (bool isSingle in new[] { true, false })
            yield return WithAddends(new(Edge(variant.Rows), Edge(variant.Columns), random.Pick(steps),
                random.Pick(1, 2), random.Pick(0, 8), random.Pick(0, 1, 4), isSingle), random);

        int Edge(int size) => random.Pick(1, size - 1, size, size + 1);
    }

    // Nothing, C itself or a residual, with a bias or without.
    private static ProductCase WithAddends(ProductCase problem, Random random)
    {
        int addend = random.Next(3);
        return problem with { Accumulate = addend == 1, HasResidual = addend == 2, HasBias = random.Next(2) == 0 };
    }

    /// <summary>Runs a product, and the addition of its parts.</summary>
    /// <param name="variant">The kernel's row of the table.</param>
    /// <param name="kernel">The kernel.</param>
    /// <param name="data">The problem.</param>
    /// <param name="copies">When asynchronous copies arrive.</param>
    /// <param name="text">A mutant, or null.</param>
    /// <param name="copied">Which operands of single precision lie the other way and are transposed in memory first, as
    /// the host does it; none if not given.</param>
    public static void Run(KernelVariant variant, InterpretedKernel kernel, ProductData data, CopyTiming copies,
        string? text = null, (bool A, bool B) copied = default)
    {
        var p = data.Problem;
        if (p.IsSingle)
            Check(values => values.Singles, memory => memory.Select(x => (double)x));
        else
            Check(values => values.Halves, memory => Operand.Decode(memory, data.ResultType));

        void Check<T>(Func<Operand, T[]> elements, Func<T[], IEnumerable<double>> decode) where T : unmanaged
        {
            var memory = Lay(data, elements, isRead: p.Accumulate);
            var residual = p.HasResidual ? Lay(data, elements, isRead: true) : null;
            if (p.Parts == 1)
                Launch(memory, data.PlaceC, a => SetAddends(a, memory, residual, isLast: true));
            else
            {
                int quads = (p.Columns + 3) / 4;
                var parts = AttentionData.Untouched<float>(p.Parts * p.Rows * quads * 4);
                Launch(parts, new MatrixPlace(p.Rows, quads * 4, 0, quads * 4),
                    a => SetAddends(a, parts, residual: null, isLast: false));
                Sum(parts, memory, residual, quads);
            }
            double[] actual = new double[p.Rows * p.Columns], all = [.. decode(memory)];
            for (int row = 0; row < p.Rows; row++)
            {
                Array.Copy(all, data.PlaceC.Offset + row * data.PlaceC.Stride, actual, row * p.Columns, p.Columns);
                Array.Fill(all, double.NaN, data.PlaceC.Offset + row * data.PlaceC.Stride, p.Columns);
            }
            Assert.True(Array.TrueForAll(all, double.IsNaN), $"{variant.Name}, {p}: wrote between the rows of C");
            // sums of fp32 differ from float64 with the square root of their length
            MaximumError.AssertWithin(p.IsSingle ? new Tolerance(1e-5, true) : Tolerance.Backward(data.ResultType),
                $"{variant.Name}, {p}, copies {copies}", new Shape(p.Rows, p.Columns), data.Expected, actual);
        }

        // C and what is added to it where it is stored at last; parts are sums alone.
        void SetAddends<T>(KernelArguments a, T[] memory, T[]? residual, bool isLast) where T : unmanaged
        {
            bool accumulate = isLast && p.Accumulate, hasBias = isLast && p.HasBias;
            a.View("C.Memory", memory, accumulate ? PtxAccess.InputOutput : PtxAccess.Output)
                .View("C.Bias", hasBias ? data.Bias.Singles : [])
                .Value("C.HasAddend", accumulate || residual is not null ? 1 : 0)
                .Value("C.HasBias", hasBias ? 1 : 0);
            if (accumulate)
                a.Alias("C.Addend", "C.Memory");
            else
                a.View("C.Addend", residual ?? []);
        }

        void Launch<T>(T[] memory, MatrixPlace place, Action<KernelArguments> setAddends) where T : unmanaged =>
            kernel.Launch(new PtxDim(Tiles(p.Rows, variant.Rows) * Tiles(p.Columns, variant.Columns), p.Parts), copies,
                a =>
                {
                    SetOperand(a, "A", data.PlaceA, Lay(data.PlaceA, data.A, copied.A));
                    SetOperand(a, "B", data.PlaceB, Lay(data.PlaceB, data.B, copied.B));
                    SetResult(a, place, memory is float[]);
                    setAddends(a);
                    a.Value("Steps", p.Steps * data.Halves).Value("Parts", p.Parts)
                        .Value("PartElements", (long)place.Rows * place.Stride);
                }, text);

        void Sum<T>(float[] parts, T[] memory, T[]? residual, int quads) where T : unmanaged
        {
            var sum = MatMulVariants.All.Single(v => v.Name == MatMulVariants.SumOf(data.Type));
            int count = p.Rows * quads;
            KernelOf(sum).Launch((count + sum.Threads - 1) / sum.Threads, copies, a =>
            {
                SetResult(a, data.PlaceC, p.IsSingle);
                SetAddends(a, memory, residual, isLast: true);
                a.View("Sums", parts).Value("Parts", p.Parts).Value("RowQuads", quads).Value("PartQuads", count);
            });
        }
    }

    // A matrix that lies as C does, with its content where it is read; all other bits are set.
    private static T[] Lay<T>(ProductData data, Func<Operand, T[]> elements, bool isRead) where T : unmanaged
    {
        var place = data.PlaceC;
        var memory = AttentionData.Untouched<T>((place.Offset + (place.Rows - 1) * place.Stride + place.Columns + 3)
            / 4 * 4);
        if (isRead)
            for (int row = 0; row < place.Rows; row++)
                elements(data.C).AsSpan(row * place.Columns, place.Columns)
                    .CopyTo(memory.AsSpan(place.Offset + row * place.Stride));
        return memory;
    }

    private static ushort[] Lay(MatrixPlace place, Operand operand, bool isCopied) =>
        isCopied ? Transposed(place, operand) : place.Scatter(operand);

    // The operand's memory, written by the copy kernel from a matrix with rows and columns exchanged.
    private static ushort[] Transposed(MatrixPlace place, Operand operand)
    {
        const int offset = 3;
        int rows = place.Rows, columns = place.Columns / 2, stride = rows + 1;
        var source = AttentionData.Untouched<float>(offset + (columns - 1) * stride + rows);
        for (int n = 0; n < rows * columns; n++)
            source[offset + n % columns * stride + n / columns] = operand.Singles[n];
        var memory = place.Blank();
        s_copy.Launch(2, CopyTiming.Late, a => a.View("Source", source)
            .View("Destination", memory, PtxAccess.InputOutput)
            .Value("From", new ElementStrides { Offset = offset, Stride2 = 1, Stride3 = stride })
            .Value("To", new ElementStrides { Offset = place.Offset / 2, Stride2 = place.Stride / 2, Stride3 = 1 })
            .Value("Extent1", 1).Value("Extent2", rows).Value("Extent3", columns).Value("Count", rows * columns)
            .Value("Value", 0f));
        return memory;
    }

    private static void SetOperand(KernelArguments a, string name, MatrixPlace place, ushort[] memory) =>
        a.View($"{name}.Memory", memory).Value($"{name}.Offset", (long)place.Offset)
            .Value($"{name}.Stride", (long)place.Stride).Value($"{name}.Rows", place.Rows)
            .Value($"{name}.Columns", place.Columns);

    private static void SetResult(KernelArguments a, MatrixPlace place, bool isSingle) =>
        a.Value("C.Offset", (long)place.Offset).Value("C.Stride", (long)place.Stride).Value("C.Rows", place.Rows)
            .Value("C.Columns", place.Columns).Value("C.IsSingle", isSingle ? 1 : 0)
            .Value("C.AddendOffset", (long)place.Offset).Value("C.AddendStride", (long)place.Stride)
            .Value("C.AreQuadsAligned", place.Offset % 4 == 0 && place.Stride % 4 == 0 ? 1 : 0);

    private static int Tiles(int count, int size) => (count + size - 1) / size;
}

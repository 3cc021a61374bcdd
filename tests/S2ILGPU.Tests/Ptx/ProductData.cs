using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Tiles;

namespace S2ILGPU.Tests.Ptx;

/// <summary>A product for kernels on the PTX machine.</summary>
/// <param name="Rows">M.</param>
/// <param name="Columns">N.</param>
/// <param name="Steps">K.</param>
/// <param name="Parts">Parts of K.</param>
/// <param name="Gap">Elements before and between the rows of operands, a multiple of 8.</param>
/// <param name="ResultGap">The same for C, any number.</param>
/// <param name="IsSingle">Whether C is Float32.</param>
/// <param name="Accumulate">Whether C has content that is added to.</param>
/// <param name="HasBias">Whether a bias is added to every row.</param>
/// <param name="HasResidual">Whether a matrix that lies as C does is added; not where C is added to.</param>
internal sealed record ProductCase(int Rows, int Columns, int Steps, int Parts = 1, int Gap = 0, int ResultGap = 0,
    bool IsSingle = false, bool Accumulate = false, bool HasBias = false, bool HasResidual = false);

/// <summary>Random operands of a product and what float64 makes of them. All that lies around the matrices is
/// NaN.</summary>
internal sealed class ProductData
{
    public ProductData(ProductCase problem, ElementType type, bool transposeA, bool transposeB, Random random)
    {
        (Problem, Type) = (problem, type);
        var (m, n, k) = (problem.Rows, problem.Columns, problem.Steps);
        A = new Operand(random.Normal(m * k), type);
        B = new Operand(random.Normal(k * n, 1 / Math.Sqrt(k)), type);
        C = new Operand(random.Normal(m * n), problem.IsSingle ? ElementType.Float32 : ResultType);
        PlaceA = Place(transposeA ? k : m, transposeA ? m : k);
        PlaceB = Place(transposeB ? n : k, transposeB ? k : n);
        Bias = new Operand(random.Normal(problem.HasBias ? n : 0), ElementType.Float32);
        Expected = problem.Accumulate || problem.HasResidual ? C.Values : new double[m * n];
        if (problem.HasBias)
            Expected = [.. Expected.Select((x, at) => x + Bias.Values[at % n])];
        double[] a = A.Factors, b = B.Factors;
        for (int i = 0; i < m; i++)
            for (int s = 0; s < k; s++)
                for (int j = 0; j < n; j++)
                    Expected[i * n + j] += a[transposeA ? s * m + i : i * k + s]
                        * b[transposeB ? j * k + s : s * n + j];
    }

    public ProductCase Problem { get; }

    public ElementType Type { get; }

    /// <summary>Type of results of 16 bits.</summary>
    public ElementType ResultType => Type == ElementType.Float32 ? ElementType.BFloat16 : Type;

    /// <summary>Halves of an element of the operands, in which kernels count them.</summary>
    public int Halves => Type == ElementType.Float32 ? 2 : 1;

    /// <summary>A, B and the content of C, or what is added to it, row-major as they are stored.</summary>
    public Operand A { get; }

    public Operand B { get; }

    public Operand C { get; }

    /// <summary>The bias; empty for none.</summary>
    public Operand Bias { get; }

    /// <summary>Where the operands lie; rows are a multiple of 8 apart.</summary>
    public MatrixPlace PlaceA { get; }

    public MatrixPlace PlaceB { get; }

    /// <summary>Where C lies.</summary>
    public MatrixPlace PlaceC => new(Problem.Rows, Problem.Columns, Problem.ResultGap,
        Problem.Columns + Problem.ResultGap);

    /// <summary>C in float64.</summary>
    public double[] Expected { get; }

    private MatrixPlace Place(int rows, int columns) =>
        new(rows, columns * Halves, Problem.Gap, (columns * Halves + 7) / 8 * 8 + Problem.Gap);
}

/// <summary>Where a matrix lies in memory.</summary>
/// <param name="Rows">Rows.</param>
/// <param name="Columns">Columns.</param>
/// <param name="Offset">Its first element.</param>
/// <param name="Stride">Elements between rows.</param>
internal sealed record MatrixPlace(int Rows, int Columns, int Offset, int Stride)
{
    /// <summary>The memory that holds an operand: zeros up to the next multiple of 8 columns, NaN elsewhere. It ends
    /// with the last row.</summary>
    public ushort[] Scatter(Operand operand)
    {
        var (memory, halves) = (Blank(), operand.Halves);
        for (int row = 0; row < Rows; row++)
            halves.AsSpan(row * Columns, Columns).CopyTo(memory.AsSpan(Offset + row * Stride));
        return memory;
    }

    /// <summary>The same memory with zeros in place of the operand.</summary>
    public ushort[] Blank()
    {
        int width = (Columns + 7) / 8 * 8;
        var memory = AttentionData.Untouched<ushort>(Offset + (Rows - 1) * Stride + width);
        for (int row = 0; row < Rows; row++)
            memory.AsSpan(Offset + row * Stride, width).Clear();
        return memory;
    }
}

using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>Products of every transposition, at sizes around the register tiles, with strided rows, and beyond the
/// blocking sizes.</summary>
/// <param name="create">Creates the engine.</param>
/// <param name="activations">Element type of activations and their gradients; null for the engine's own.</param>
public abstract class MatMulTests(Func<IEngine> create, ElementType? activations = null)
    : EngineTest(create, activations)
{
    private static readonly int[] s_edges = [1, 2, 5, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 31, 32, 33, 63, 64, 65];

    private static readonly bool[] s_either = [false, true];

    /// <summary>How many of the edges, and of the forms of large products, a plain run takes.</summary>
    protected virtual int EdgeCount => s_edges.Length;

    /// <summary>Transpose A, transpose B, accumulate.</summary>
    public static TheoryData<bool, bool, bool> Forms =>
        new(from a in s_either from b in s_either from c in s_either select (a, b, c));

    [Theory]
    [MemberData(nameof(Forms))]
    public void Every_edge_in_every_dimension(bool transposeA, bool transposeB, bool accumulate)
    {
        foreach (int edge in TestScale.Part(s_edges, EdgeCount))
        {
            Product(edge, 20, 20, transposeA, transposeB, accumulate);
            Product(20, edge, 20, transposeA, transposeB, accumulate);
            Product(20, 20, edge, transposeA, transposeB, accumulate);
        }
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Nothing_times_anything(bool transposeA, bool transposeB, bool accumulate)
    {
        Product(0, 5, 7, transposeA, transposeB, accumulate);
        Product(5, 0, 7, transposeA, transposeB, accumulate);
        Product(5, 7, 0, transposeA, transposeB, accumulate); // C becomes 0, or stays
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Random_sizes(bool transposeA, bool transposeB, bool accumulate)
    {
        for (int n = 0; n < RandomCases; n++)
            Product(Random.Pick(s_edges), Random.Pick(s_edges), Random.Pick(s_edges), transposeA, transposeB,
                accumulate);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Rows_may_be_strided(bool transposeA, bool transposeB, bool accumulate)
    {
        foreach (var (m, n, k) in ((int, int, int)[])[(1, 1, 1), (3, 40, 17), (33, 15, 64), (70, 67, 66)])
            Product(m, n, k, transposeA, transposeB, accumulate, isStrided: true);
    }

    [Theory]
    [InlineData(513, 129, 257)]
    [InlineData(129, 257, 513)]
    [InlineData(1, 1025, 300)]
    [InlineData(1025, 1, 300)]
    [InlineData(40, 33, 2049)]
    public void Larger_than_the_blocking(int m, int n, int k)
    {
        foreach (var (a, b) in TestScale.Part([(false, false), (false, true), (true, false), (true, true)], EdgeCount))
            Product(m, n, k, a, b, accumulate: a ^ b);
    }

    [Theory]
    [InlineData(ElementType.BFloat16, false)]
    [InlineData(ElementType.BFloat16, true)]
    [InlineData(ElementType.Float16, false)]
    [InlineData(ElementType.Float16, true)]
    public void Short_weights_give_the_bits_of_their_widened_values(ElementType type, bool accumulate)
    {
        foreach (var (m, n, k) in ((int, int, int)[])[(1, 1, 1), (1, 70, 67), (3, 40, 130), (4, 9, 64), (7, 33, 20),
            (9, 5, 40), (20, 8, 131), (20, 33, 70), (150, 70, 33), (0, 4, 5), (4, 3, 0)])
        {
            var (a, bits) = (Normal("A", new Shape(m, k)),
                Normal("B", new Shape(n, k + 3), 1 / Math.Sqrt(Math.Max(1, k)), type));
            var (wide, c, same) = (Normal("widened B", new Shape(n, k), type: FloatType), Normal("C", new Shape(m, n)),
                Normal("C of the widened B", new Shape(m, n)));
            var b = View(bits, t => t.Slice(1, 2, k));
            wide.Values = [.. b.Values.Select(x => ElementRounding.Round(x, type))];
            same.Values = c.Values;
            Check($"{m}x{n}x{k} B^T of {type}", Forward, e =>
            {
                e.Engine.MatMul(new MatMulArguments(e[a], e[b], e[c], TransposeB: true, Accumulate: accumulate));
                e.Engine.MatMul(new MatMulArguments(e[a], e[wide], e[same], TransposeB: true, Accumulate: accumulate));
                AssertSame(e.Engine, e[c], e[same]);
            });
            Release();
        }

        static void AssertSame(IEngine engine, Tensor actual, Tensor expected)
        {
            var (a, b) = (new float[actual.Count], new float[expected.Count]);
            engine.Download(actual, a);
            engine.Download(expected, b);
            Assert.Equal(b, a);
        }
    }

    /// <summary>Every kind of product: few rows, few columns, tiles and their edges, and sums of nothing.</summary>
    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void Bias_and_residual_are_added_before_rounding(bool hasBias, bool hasResidual)
    {
        foreach (int rows in TestScale.Part([1, 3, 16, 17, 65], EdgeCount))
            Added(rows, Random.Pick(s_edges), Random.Pick(1, 20, 33), Random.Next(4) == 0, Random.Next(4) != 0,
                accumulate: !hasResidual && Random.Next(2) == 0, isStrided: Random.Next(2) == 0);
        Added(66, 67, 20, isStrided: true);
        Added(9, 7, 33);
        foreach (var (rows, columns, steps) in ((int, int, int)[])[(0, 5, 7), (5, 0, 7), (5, 7, 0)])
            Added(rows, columns, steps);

        void Added(int rows, int columns, int steps, bool transposeA = false, bool transposeB = true,
            bool accumulate = false, bool isStrided = false) =>
            Product(rows, columns, steps, transposeA, transposeB, accumulate, isStrided, hasBias, hasResidual);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(17)]
    public void Damage_in_a_bias_and_in_a_residual_stays_where_it_is(int rows)
    {
        foreach (double damage in (double[])[double.NaN, double.PositiveInfinity, double.NegativeInfinity])
        {
            int columns = Random.Next(2, 40), steps = 20;
            TestTensor a = Normal("A", new Shape(rows, steps)), b = Normal("B", new Shape(columns, steps), 0.2),
                c = Output("C", new Shape(rows, columns)), bias = Normal("bias", new Shape(columns), type: FloatType),
                residual = Normal("residual", new Shape(rows, columns));
            var values = (bias.Values, residual.Values);
            values.Item1[Random.Next(columns)] = damage;
            values.Item2[Random.Next(rows * columns)] = damage;
            (bias.Values, residual.Values) = values;
            Check($"{damage} in {rows}x{columns}", Forward, e => e.Engine.MatMul(
                new MatMulArguments(e[a], e[b], e[c], TransposeB: true) { Bias = e[bias], Residual = e[residual] }));
            Release();
        }
    }

    // Each operand is stored in any of the types: activations are, weights and sums of their gradients are not.
    private ElementType AnyType() => Random.Pick(Activations, FloatType);

    // B is scaled by 1 / sqrt(K), so that the products are N(0, 1) and the tolerance means the same for every K.
    private void Product(int m, int n, int k, bool transposeA, bool transposeB, bool accumulate, bool isStrided = false,
        bool hasBias = false, bool hasResidual = false)
    {
        var a = Operand("A", transposeA ? k : m, transposeA ? m : k, 1);
        var b = Operand("B", transposeB ? n : k, transposeB ? k : n, 1 / Math.Sqrt(Math.Max(1, k)));
        var type = AnyType();
        var c = isStrided ? StridedRows("C", m, n, 2, 5, isWritten: true, type)
            : accumulate ? Normal("C", new Shape(m, n), type: type) : Output("C", new Shape(m, n), type);
        var bias = hasBias ? Normal("bias", new Shape(n), type: FloatType) : null;
        var residual = !hasResidual ? null
            : isStrided ? StridedRows("residual", m, n, 1, 3, isWritten: false, type)
            : Normal("residual", new Shape(m, n), type: type);
        int few = hasBias || hasResidual ? Random.Next(m + 1) : 0;
        Check($"{m}x{n}x{k}{(transposeA ? " A^T" : "")}{(transposeB ? " B^T" : "")}"
            + $"{(accumulate ? " accumulate" : "")}{(isStrided ? " strided" : "")}{(hasBias ? " bias" : "")}"
            + $"{(hasResidual ? " residual" : "")}{(few > 0 ? $", {few} few rows" : "")}", Forward,
            e => e.Engine.MatMul(new MatMulArguments(e[a], e[b], e[c], transposeA, transposeB, accumulate)
            {
                FewRows = few,
                Bias = e.Optional(bias),
                Residual = e.Optional(residual),
            }));
        Release();

        TestTensor Operand(string name, int rows, int columns, double scale)
        {
            if (!isStrided)
                return Normal(name, new Shape(rows, columns), scale, AnyType());
            var view = StridedRows(name, rows, columns, 3, 4, isWritten: false, AnyType());
            view.Values = Random.Normal(view.Shape.Count, scale);
            return view;
        }
    }
}

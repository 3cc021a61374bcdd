using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using S2ILGPU.Variants;
using Xunit;

namespace S2ILGPU.Tests.MatMul;

/// <summary>The tensor-core kernels of products through the engine, with the C# bodies of their primitives: what the
/// host does for each form, place and type. All variants run on the PTX machine.</summary>
public sealed class TensorCoreMatMulTests() : EngineTest(Emulated.CreateWithTensorCores, ElementType.BFloat16)
{
    private IlgpuEngine Engine => (IlgpuEngine)Tested;

    /// <summary>Type, transpose A, transpose B.</summary>
    public static TheoryData<ElementType, bool, bool> Forms => [.. Sweeps.ProductForms];

    public static TheoryData<bool, bool> Tf32Forms => [.. Sweeps.Tf32Forms];

    public static TheoryData<bool> LongSums => [.. Sweeps.LongSums];

    internal static IEnumerable<(ElementType, bool, bool)> AllForms =>
        from type in new[] { ElementType.BFloat16, ElementType.Float16 }
        from a in new[] { false, true }
        from b in new[] { false, true }
        select (type, a, b);

    [Theory]
    [MemberData(nameof(Forms))]
    public void Every_form_and_place(ElementType type, bool transposeA, bool transposeB)
    {
        TestScale.SkipUnlessDrawn(6);
        int[] edges = [1, 7, 16, 63, 65];
        Product(type, Random.Pick(edges), Random.Pick(edges), Random.Pick(edges), transposeA, transposeB);
        Product(type, 70, 20, 72, transposeA, transposeB, accumulate: true);
        Product(type, 66, 9, 24, transposeA, transposeB, isStrided: true, accumulate: true);
    }

    /// <summary>Rows that few-row kernels and tiles take, in one part and in two; rows of residuals that begin where
    /// four elements are read at once, and at odd places.</summary>
    [Theory]
    [MemberData(nameof(Forms))]
    public void Bias_and_residual_in_every_form(ElementType type, bool transposeA, bool transposeB)
    {
        TestScale.SkipUnlessDrawn(6);
        bool isOne = Random.Next(2) == 0;
        foreach (int rows in TestScale.Part([1, 3, 16, 17, 65], 2))
            Product(type, rows, Random.Pick(5, 16, 20, 33), 24, transposeA, transposeB, isStrided: rows % 2 == 0,
                hasBias: rows < 17 || isOne, hasResidual: rows > 3 || isOne);
        Product(type, 5, 20, 2056, false, transposeB, hasBias: true, hasResidual: true);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(65)]
    public void Damage_in_a_bias_and_in_a_residual_stays_where_it_is(int rows)
    {
        const int Columns = 21;
        TestTensor a = Normal("A", new Shape(rows, 24)), b = Normal("B", new Shape(Columns, 24), 0.2),
            c = Output("C", new Shape(rows, Columns)), bias = Normal("bias", new Shape(Columns), type: FloatType),
            residual = Normal("residual", new Shape(rows, Columns));
        c.Tolerance = Tolerance.Backward(ElementType.BFloat16);
        var (ofColumns, ofElements) = (bias.Values, residual.Values);
        ofColumns[Random.Next(Columns)] = Random.Pick(double.NaN, double.PositiveInfinity);
        ofElements[Random.Next(rows * Columns)] = double.NaN;
        (bias.Values, residual.Values) = (ofColumns, ofElements);
        Check($"{rows} rows", Forward, e => e.Engine.MatMul(
            new MatMulArguments(e[a], e[b], e[c], TransposeB: true) { Bias = e[bias], Residual = e[residual] }));
        Assert.NotNull(Engine.Products.Last);
    }

    /// <summary>Products of single precision, where TF32 was allowed: 2^-10 of each term at most.</summary>
    [Theory]
    [MemberData(nameof(Tf32Forms))]
    public void Tf32_in_every_form_and_place(bool transposeA, bool transposeB)
    {
        TestScale.SkipUnlessDrawn(6);
        Engine.Products.AllowTf32 = true;
        Product(ElementType.Float32, 65 + Random.Next(4), Random.Pick(1, 7, 33), Random.Pick(1, 31, 33), transposeA,
            transposeB);
        Product(ElementType.Float32, 66, 9, 37, transposeA, transposeB, isStrided: true, accumulate: true);
        Assert.Equal(0, Engine.Queue.Memory.LiveBuffers);
    }

    [Fact]
    public void Tf32_is_for_many_rows_and_on_request()
    {
        using Tensor a = Engine.Allocate(new Shape(65, 8), ElementType.Float32),
            few = Engine.Allocate(new Shape(64, 8), ElementType.Float32),
            b = Engine.Allocate(new Shape(8, 4), ElementType.Float32),
            c = Engine.Allocate(new Shape(65, 4), ElementType.Float32),
            fewC = Engine.Allocate(new Shape(64, 4), ElementType.Float32);
        Assert.False(Engine.Products.TryMultiply(new MatMulArguments(a, b, c)));
        Assert.Contains("--tf32", Assert.Single(Engine.Notes));
        Engine.Products.AllowTf32 = true;
        Assert.True(Engine.Products.TryMultiply(new MatMulArguments(a, b, c)));
        Assert.StartsWith("matmul-tf32-nt", Engine.Products.Last!.Name);
        Assert.False(Engine.Products.TryMultiply(new MatMulArguments(few, b, fewC)));
        Assert.Single(Engine.Notes);
    }

    [Theory]
    [MemberData(nameof(LongSums))]
    public void Long_sums_are_cut_into_parts(bool transposeB)
    {
        TestScale.SkipUnlessDrawn(4);
        var problem = new ProductProblem(ElementType.BFloat16, 5, 20, 2056, false, transposeB);
        Assert.Equal(2, MatMulLaunchTable.Parts(problem));
        Product(ElementType.BFloat16, 5, 20, 2056, false, transposeB, accumulate: true);
    }

    [Fact]
    public void Nothing_is_left_to_portable_kernels()
    {
        using Tensor a = Engine.Allocate(new Shape(0, 8), ElementType.BFloat16),
            b = Engine.Allocate(new Shape(4, 8), ElementType.BFloat16),
            c = Engine.Allocate(new Shape(0, 4), ElementType.BFloat16);
        Assert.False(Engine.Products.TryMultiply(new MatMulArguments(a, b, c, TransposeB: true)));
        Assert.Empty(Engine.Notes);
    }

    [Fact]
    public void Two_types_are_told_once()
    {
        using Tensor a = Engine.Allocate(new Shape(4, 8), ElementType.BFloat16),
            b = Engine.Allocate(new Shape(8, 4), ElementType.Float16),
            c = Engine.Allocate(new Shape(4, 4), ElementType.Float32);
        for (int n = 0; n < 2; n++)
            Assert.False(Engine.Products.TryMultiply(new MatMulArguments(a, b, c)));
        Assert.Contains("products of bf16 and fp16", Assert.Single(Engine.Notes));
        using Tensor x = Engine.Allocate(new Shape(4, 8), ElementType.Float32),
            y = Engine.Allocate(new Shape(8, 4), ElementType.Float32);
        for (int n = 0; n < 2; n++)
            Assert.False(Engine.Products.TryMultiply(new MatMulArguments(x, y, c)));
        Assert.Equal(2, Engine.Notes.Count);
        Assert.Contains("products of fp32 matrices", Engine.Notes[1]);
        Assert.Contains("--precision bf16", Engine.Notes[1]);
    }

    [Fact]
    public void Products_leave_nothing_behind()
    {
        TestScale.SkipUnlessDrawn(8);
        Product(ElementType.BFloat16, 9, 20, 2100, false, true, isStrided: true);
        Assert.Equal(0, Engine.Queue.Memory.LiveBuffers);
    }

    private void Product(ElementType type, int m, int n, int k, bool transposeA, bool transposeB,
        bool accumulate = false, bool isStrided = false, bool hasBias = false, bool hasResidual = false)
    {
        TestTensor a = Operand("A", transposeA ? k : m, transposeA ? m : k, 1),
            b = Operand("B", transposeB ? n : k, transposeB ? k : n, 1 / Math.Sqrt(k));
        var shortType = type == ElementType.Float32 ? ElementType.BFloat16 : type;
        foreach (var resultType in new[] { shortType, ElementType.Float32 })
        {
            var whole = isStrided ? Normal("C", new Shape(m, n + 7), type: resultType)
                : accumulate ? Normal("C", new Shape(m, n), type: resultType)
                : Output("C", new Shape(m, n), resultType);
            whole.Tolerance = resultType == shortType ? Tolerance.Backward(shortType)
                : new Tolerance(type == ElementType.Float32 ? 4e-3 : 1e-5, true);
            var c = isStrided ? View(whole, t => t.Slice(1, 2, n)) : whole;
            var bias = hasBias ? Normal("bias", new Shape(n), type: ElementType.Float32) : null;
            var residual = !hasResidual ? null
                : isStrided ? StridedRows("residual", m, n, 1, 2, isWritten: false, resultType)
                : Normal("residual", new Shape(m, n), type: resultType);
            Check($"{m}x{n}x{k} {type}{(transposeA ? " A^T" : "")}{(transposeB ? " B^T" : "")} to {resultType}"
                + $"{(accumulate ? " accumulate" : "")}{(isStrided ? " strided" : "")}{(hasBias ? " bias" : "")}"
                + $"{(hasResidual ? " residual" : "")}", Forward, e =>
                e.Engine.MatMul(new MatMulArguments(e[a], e[b], e[c], transposeA, transposeB, accumulate)
                {
                    Bias = e.Optional(bias),
                    Residual = e.Optional(residual),
                }));
            Assert.NotNull(Engine.Products.Last);
        }
        Release();

        // Rows of a strided operand begin at odd places, so that kernels read a copy.
        TestTensor Operand(string name, int rows, int columns, double scale)
        {
            if (!isStrided)
                return Normal(name, new Shape(rows, columns), scale, type);
            var view = StridedRows(name, rows, columns, 3, 4, isWritten: false, type);
            view.Values = Random.Normal(view.Shape.Count, scale);
            return view;
        }
    }
}

using S2ILGPU.Cli.Devices;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Verify.Operations;

/// <summary>Matrix products in all four forms, added or not, with every mixture of the engine's float type and an
/// activation type.</summary>
internal static class MatMulChecks
{
    // Operands N(0, 1) and N(0, 1/K), of 11 significant bits.
    private static readonly Tolerance s_tf32 = new(4e-3, IsRelative: true);

    /// <param name="type">The activation type; the float type itself for products of that alone.</param>
    /// <param name="floatType">The engine's float type.</param>
    public static IEnumerable<OperationCheck> Of(ElementType type, ElementType floatType)
    {
        ElementType[] types = type == floatType ? [type] : [floatType, type];
        return from a in types
               from b in types
               from c in types
               where type == floatType || a == type || b == type || c == type
               from form in Enumerable.Range(0, 8)
               select Check(type, (a, b, c), (form & 1) != 0, (form & 2) != 0, (form & 4) != 0);
    }

    /// <summary>What engines without other activations must have too: weights of half the memory.</summary>
    public static IEnumerable<OperationCheck> OfShortWeights(ElementType type, ElementType floatType) =>
        [Check(type, (floatType, type, floatType), false, true, false),
            Check(type, (floatType, type, floatType), false, true, true)];

    /// <summary>Products that may be rounded to TF32; those of few rows are not.</summary>
    public static IEnumerable<OperationCheck> OfTf32(IlgpuEngine engine) => from form in Enumerable.Range(0, 8)
        select Check(ElementType.Float32, (ElementType.Float32, ElementType.Float32, ElementType.Float32),
            (form & 1) != 0, (form & 2) != 0, (form & 4) != 0, engine);

    private static OperationCheck Check(ElementType type, (ElementType A, ElementType B, ElementType C) types,
        bool transposeA, bool transposeB, bool accumulate, IlgpuEngine? tf32 = null)
    {
        string form = $"{(transposeA ? "A^T" : "A")} {types.A.ShortName()}, {(transposeB ? "B^T" : "B")} "
            + $"{types.B.ShortName()}, C {types.C.ShortName()}{(accumulate ? ", added" : "")}"
            + $"{(tf32 is null ? "" : ", TF32")}";
        return new(nameof(IEngine.MatMul), type, form, (p, size) =>
        {
            var call = Product(p, size, types, transposeA, transposeB, accumulate, tf32 is null ? null : s_tf32);
            return tf32 is null ? call : () => WithTf32(tf32, call);
        });
    }

    private static void WithTf32(IlgpuEngine engine, Action call)
    {
        bool before = engine.Products.AllowTf32;
        engine.Products.AllowTf32 = true;
        try
        {
            call();
        }
        finally
        {
            engine.Products.AllowTf32 = before;
        }
    }

    private static Action Product(OperationProblem p, Extents size,
        (ElementType A, ElementType B, ElementType C) types, bool transposeA, bool transposeB, bool accumulate,
        Tolerance? tolerance)
    {
        int m = size.Rows, n = size.Columns, k = size.Inner;
        p.HasWideRows = m % 2 == 1;
        Operand a = p.Normal(transposeA ? new Shape(k, m) : new Shape(m, k), types.A),
            b = p.Normal(transposeB ? new Shape(n, k) : new Shape(k, n), types.B, 1 / Math.Sqrt(k));
        var exact = new double[m * n];
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++)
                for (int t = 0; t < k; t++)
                    exact[i * n + j] += a.Values[transposeA ? t * m + i : i * k + t]
                        * b.Values[transposeB ? j * k + t : t * n + j];
        var c = p.Gradient("C", new Shape(m, n), types.C, exact, accumulate, tolerance);
        return () => p.Engine.MatMul(new MatMulArguments(a.Tensor, b.Tensor, c.Tensor!, transposeA, transposeB,
            accumulate));
    }
}

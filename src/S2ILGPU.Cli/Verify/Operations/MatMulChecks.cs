using S2ILGPU.Cli.Devices;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.Variants;

namespace S2ILGPU.Cli.Verify.Operations;

/// <summary>Matrix products in all four forms, added or not, with every mixture of the engine's float type and an
/// activation type.</summary>
internal static class MatMulChecks
{
    // Operands N(0, 1) and N(0, 1/K), of 11 significant bits.
    private static readonly Tolerance s_tf32 = new(4e-3, IsRelative: true);

    // The same, then rounded to bfloat16.
    private static readonly Tolerance s_tf32Short = new(8.5e-3, IsRelative: true);

    // As linear layers ask for them.
    private static readonly ProductForm[] s_layers = [new(false, true, HasBias: true),
        new(false, true, HasResidual: true), new(false, true, HasBias: true, HasResidual: true)];

    private static IEnumerable<ProductForm> AllForms => from form in Enumerable.Range(0, 8)
        select new ProductForm((form & 1) != 0, (form & 2) != 0, (form & 4) != 0);

    /// <param name="type">The activation type; the float type itself for products of that alone.</param>
    /// <param name="floatType">The engine's float type.</param>
    public static IEnumerable<OperationCheck> Of(ElementType type, ElementType floatType)
    {
        ElementType[] types = type == floatType ? [type] : [floatType, type];
        return from a in types
               from b in types
               from c in types
               where type == floatType || a == type || b == type || c == type
               from form in (IEnumerable<ProductForm>)[.. AllForms, .. s_layers]
               select Check(type, (a, b, c), form);
    }

    /// <summary>What engines without other activations must have too: weights of half the memory.</summary>
    public static IEnumerable<OperationCheck> OfShortWeights(ElementType type, ElementType floatType) =>
        [.. s_layers.Prepend(new(false, true, Accumulate: true)).Prepend(new(false, true))
            .Select(form => Check(type, (floatType, type, floatType), form))];

    /// <summary>Products that may be rounded to TF32; those of few rows are not.</summary>
    public static IEnumerable<OperationCheck> OfTf32(IlgpuEngine engine) => from form in AllForms
        select Check(ElementType.Float32, (ElementType.Float32, ElementType.Float32, ElementType.Float32), form,
            engine);

    /// <summary>Each tensor-core kernel of products that the device can run, forced: sums in one part and in several,
    /// with both kinds of results, overwritten with a bias and a residual, and added to.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="isEmulated">Whether it executes thread by thread: one small case each then, and most kernels only
    /// on request.</param>
    public static IEnumerable<OperationCheck> OfVariants(IlgpuEngine engine, bool isEmulated)
    {
        var families = new HashSet<object>();
        foreach (var variant in engine.Products.Variants)
        {
            bool isFirst = families.Add((variant.Operation,
                variant.Operation == KernelOperation.PartSum ? null : (object)variant.ElementType));
            foreach (int form in Enumerable.Range(0, isEmulated ? 1 : 4))
                yield return OfVariant(engine, variant, (form & 1) != 0, (form & 2) != 0) with
                {
                    Sizes = Sizes(variant, isEmulated, hasParts: form == 1),
                    IsOnRequest = isEmulated && !isFirst,
                };
        }
    }

    private static OperationCheck OfVariant(IlgpuEngine engine, KernelVariant variant, bool isSingle, bool accumulate)
    {
        var type = variant.ElementType;
        bool isTf32 = type == ElementType.Float32;
        var result = isSingle ? ElementType.Float32 : isTf32 ? ElementType.BFloat16 : type;
        // parts are added whatever the form
        bool transposeB = variant.TransposeB || variant.Operation == KernelOperation.PartSum;
        var form = new ProductForm(variant.TransposeA, transposeB, accumulate, HasBias: !accumulate,
            HasResidual: !accumulate);
        return Check(type, (type, type, result), form, isTf32 ? engine : null)
            with
            {
                Name = variant.Name,
                Force = () => engine.Products.Force(variant),
                IsUsed = () => engine.Products.Last == variant || engine.Products.LastSum == variant,
            };
    }

    // Rows of A and B that are copied to whole chunks, and rows that are read where they lie; edges in every
    // dimension. A product in parts writes the same sums whatever becomes of them: one form is enough there, with
    // results of single precision, which hide least.
    private static Extents[] Sizes(KernelVariant variant, bool isEmulated, bool hasParts)
    {
        bool isFewRows = variant.Operation == KernelOperation.FewRows;
        int rows = isFewRows ? variant.Rows : isEmulated ? 70 : 200;
        var parts = isEmulated ? new Extents(rows, 20, 2056) : new Extents(isFewRows ? rows - 3 : rows, 296, 2104);
        if (variant.Operation == KernelOperation.PartSum)
            return [parts with { Rows = isEmulated && variant.ElementType != ElementType.Float32 ? 5 : rows }];
        var whole = isEmulated ? new Extents(rows, 20, 72) : new Extents(rows, 300, 300);
        return hasParts && !isEmulated ? [whole, parts] : [whole];
    }

    private static OperationCheck Check(ElementType type, (ElementType A, ElementType B, ElementType C) types,
        ProductForm form, IlgpuEngine? tf32 = null)
    {
        string text = $"{(form.TransposeA ? "A^T" : "A")} {types.A.ShortName()}, {(form.TransposeB ? "B^T" : "B")} "
            + $"{types.B.ShortName()}, C {types.C.ShortName()}{(form.Accumulate ? ", added" : "")}"
            + $"{(form.HasBias ? ", bias" : "")}{(form.HasResidual ? ", residual" : "")}"
            + $"{(tf32 is null ? "" : ", TF32")}";
        return new(nameof(IEngine.MatMul), type, text, (p, size) =>
        {
            var tolerance = tf32 is null ? (Tolerance?)null
                : types.C == ElementType.Float32 ? s_tf32 : s_tf32Short;
            var call = Product(p, size, types, form, tolerance);
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
        (ElementType A, ElementType B, ElementType C) types, ProductForm form, Tolerance? tolerance)
    {
        var (transposeA, transposeB, accumulate, hasBias, hasResidual) = form;
        int m = size.Rows, n = size.Columns, k = size.Inner;
        p.HasWideRows = m % 2 == 1;
        Operand a = p.Normal(transposeA ? new Shape(k, m) : new Shape(m, k), types.A),
            b = p.Normal(transposeB ? new Shape(n, k) : new Shape(k, n), types.B, 1 / Math.Sqrt(k));
        var bias = hasBias ? p.Normal(new Shape(n), p.Engine.FloatType) : null;
        var residual = hasResidual ? p.Normal(new Shape(m, n), types.C) : null;
        var exact = new double[m * n];
        Parallel.For(0, m, i =>
        {
            for (int j = 0; j < n; j++)
            {
                double sum = 0;
                for (int t = 0; t < k; t++)
                    sum += a.Values[transposeA ? t * m + i : i * k + t] * b.Values[transposeB ? j * k + t : t * n + j];
                exact[i * n + j] = sum + (bias?.Values[j] ?? 0) + (residual?.Values[i * n + j] ?? 0);
            }
        });
        var c = p.Gradient("C", new Shape(m, n), types.C, exact, accumulate, tolerance);
        return () => p.Engine.MatMul(new MatMulArguments(a.Tensor, b.Tensor, c.Tensor!, transposeA, transposeB,
            accumulate) { Bias = bias?.Tensor, Residual = residual?.Tensor });
    }

    // What a product does apart from its types.
    private readonly record struct ProductForm(bool TransposeA, bool TransposeB, bool Accumulate = false,
        bool HasBias = false, bool HasResidual = false);
}

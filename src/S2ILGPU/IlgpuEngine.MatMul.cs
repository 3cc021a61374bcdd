using ILGPU;
using S2ILGPU.Engines;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.MatMul;
using S2ILGPU.Memory;
using S2ILGPU.Products;
using S2ILGPU.Tensors;

namespace S2ILGPU;

public sealed partial class IlgpuEngine
{
    // The most rows of C that are computed as dot products: a tile would be mostly empty, and too few groups would
    // read B.
    private const int MaxVectors = 8;

    private readonly TensorCoreProducts _products;

    /// <summary>Which kernels products of 16-bit matrices use.</summary>
    internal TensorCoreProducts Products => _products;

    /// <inheritdoc/>
    public void MatMul(in MatMulArguments arguments)
    {
        arguments.ThrowUnlessShapesFit();
        var (a, b, c, transposeA, transposeB, _) = arguments;
        int rows = c.Shape[0], columns = c.Shape[1], steps = a.Shape[transposeA ? 0 : 1];
        if (_products.TryMultiply(arguments))
            return;
        var product = new ProductArguments
        {
            A = Operand(a, rows, steps, transposeA),
            B = Operand(b, columns, steps, !transposeB),
            C = ResultOf(arguments),
        };
        var kernels = ProductKernels.Of(a.ElementType, b.ElementType, c.ElementType);
        if (rows <= MaxVectors && transposeB && !transposeA)
            _queue.Launch(kernels.Dots, new Index3D(checked(rows * columns), 1, 1), _queue.RowThreads(steps), product);
        else
            _queue.Launch(kernels.Tile, new Index3D(Tiles(columns), Tiles(rows), 1), ProductTile.Threads, product);
    }

    private static int Tiles(int lanes) => (lanes + ProductTile.Lanes - 1) / ProductTile.Lanes;

    private ProductResult ResultOf(in MatMulArguments arguments)
    {
        var type = arguments.C.ElementType;
        var addend = arguments.Residual ?? (arguments.Accumulate ? arguments.C : null);
        return new ProductResult
        {
            Rows = RowsOf(arguments.C, type),
            Addend = addend is null ? default : RowsOf(addend, type),
            Bias = arguments.Bias is null ? default : FlatOf(arguments.Bias, ElementType.Float32),
            HasAddend = addend is null ? 0 : 1,
            HasBias = arguments.Bias is null ? 0 : 1,
        };
    }

    private MatrixOperand Operand(Tensor matrix, int lanes, int steps, bool isTransposed)
    {
        var rows = _tensors.Rows(matrix, matrix.ElementType);
        return new MatrixOperand
        {
            Words = rows.Words,
            Offset = rows.Offset,
            Lanes = lanes,
            Steps = steps,
            Lane = isTransposed ? 1 : rows.Stride,
            Step = isTransposed ? rows.Stride : 1,
            IsAligned = IsAligned(rows) ? 1 : 0,
        };
    }

    // The kernels for three element types.
    private readonly record struct ProductKernels(Action<ProductArguments> Tile, Action<ProductArguments> Dots)
    {
        public static ProductKernels Of(ElementType a, ElementType b, ElementType c) => a switch
        {
            ElementType.Float32 => Of<StoredSingle>(b, c),
            ElementType.BFloat16 => Of<StoredBFloat16>(b, c),
            ElementType.Float16 => Of<StoredHalf>(b, c),
            _ => throw Unsupported(a),
        };

        private static ProductKernels Of<TA>(ElementType b, ElementType c) where TA : struct, IStoredElement => b switch
        {
            ElementType.Float32 => Of<TA, StoredSingle>(c),
            ElementType.BFloat16 => Of<TA, StoredBFloat16>(c),
            ElementType.Float16 => Of<TA, StoredHalf>(c),
            _ => throw Unsupported(b),
        };

        private static ProductKernels Of<TA, TB>(ElementType c) where TA : struct, IStoredElement
            where TB : struct, IStoredElement => c switch
        {
            ElementType.Float32 => Of<TA, TB, StoredSingle>(),
            ElementType.BFloat16 => Of<TA, TB, StoredBFloat16>(),
            ElementType.Float16 => Of<TA, TB, StoredHalf>(),
            _ => throw Unsupported(c),
        };

        private static ProductKernels Of<TA, TB, TC>() where TA : struct, IStoredElement
            where TB : struct, IStoredElement where TC : struct, IStoredElement =>
            new(ProductTile.Run<TA, TB, TC>, DotProducts.Run<TA, TB, TC>);

        private static ArgumentException Unsupported(ElementType type) =>
            new($"{nameof(MatMul)}: matrices are Float32, BFloat16 or Float16, not {type}");
    }
}

using ILGPU;
using S2ILGPU.Engines;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.MatMul;
using S2ILGPU.Memory;
using S2ILGPU.Tensors;

namespace S2ILGPU;

public sealed partial class IlgpuEngine
{
    // The most rows of C that are computed as dot products: a tile would be mostly empty, and too few groups would
    // read B.
    private const int MaxVectors = 8;

    /// <inheritdoc/>
    public void MatMul(in MatMulArguments arguments)
    {
        var (a, b, c, transposeA, transposeB, _) = arguments;
        if (a.Shape.Rank != 2 || b.Shape.Rank != 2 || c.Shape.Rank != 2)
            throw new ShapeException(nameof(MatMul), "A, B, C", "matrices", $"{a.Shape}, {b.Shape}, {c.Shape}");
        int rows = c.Shape[0], columns = c.Shape[1], steps = a.Shape[transposeA ? 0 : 1];
        ShapeException.ThrowUnless(nameof(MatMul), "A", a, transposeA ? new Shape(steps, rows)
            : new Shape(rows, steps));
        ShapeException.ThrowUnless(nameof(MatMul), "B", b, transposeB ? new Shape(columns, steps)
            : new Shape(steps, columns));
        if (transposeB && b.ElementType == ElementType.BFloat16)
            Multiply<StoredBFloat16>(arguments, steps);
        else
            Multiply<StoredSingle>(arguments, steps);
    }

    private void Multiply<TStored>(in MatMulArguments a, int steps) where TStored : struct, IStoredElement
    {
        int rows = a.C.Shape[0], columns = a.C.Shape[1];
        var product = new ProductArguments<TStored>
        {
            A = Operand<StoredSingle>(_tensors.Rows(a.A), rows, steps, a.TransposeA),
            B = Operand<TStored>(a.TransposeB ? WeightRows(a.B) : _tensors.Rows(a.B), columns, steps, !a.TransposeB),
            C = TargetOf(new GradientTarget(a.C, a.Accumulate)),
        };
        if (rows <= MaxVectors && a.TransposeB && !a.TransposeA)
            _queue.Launch(DotProducts.Run, new Index3D(checked(rows * columns), 1, 1),
                _queue.RowThreads(steps), product);
        else
            _queue.Launch(ProductTile.Run, new Index3D(Tiles(columns), Tiles(rows), 1), ProductTile.Threads, product);
    }

    private static int Tiles(int lanes) => (lanes + ProductTile.Lanes - 1) / ProductTile.Lanes;

    private static MatrixOperand<TStored> Operand<TStored>(in DeviceRows rows, int lanes, int steps, bool isTransposed)
        where TStored : struct, IStoredElement => new()
    {
        Words = rows.Words,
        Offset = rows.Offset,
        Lanes = lanes,
        Steps = steps,
        Lane = isTransposed ? 1 : rows.Stride,
        Step = isTransposed ? rows.Stride : 1,
    };
}

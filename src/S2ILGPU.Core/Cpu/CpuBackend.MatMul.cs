using S2ILGPU.Backends;
using S2ILGPU.Cpu.Multiplication;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu;

public sealed unsafe partial class CpuBackend
{
    private readonly IMatrixProduct _product;

    /// <inheritdoc/>
    public void MatMul(in MatMulArguments arguments)
    {
        var (a, b, c, transposeA, transposeB, accumulate) = arguments;
        var (left, right, product) = (CpuTensors.RowsOf(a), CpuTensors.RowsOf(b), CpuTensors.RowsOf(c));
        if (a.Shape.Rank != 2 || b.Shape.Rank != 2 || c.Shape.Rank != 2)
            throw new ShapeException(nameof(MatMul), "A, B, C", "matrices", $"{a.Shape}, {b.Shape}, {c.Shape}");
        int rows = c.Shape[0], columns = c.Shape[1], steps = a.Shape[transposeA ? 0 : 1];
        ShapeException.ThrowUnless(nameof(MatMul), "A", a, transposeA ? new Shape(steps, rows) : new Shape(rows, steps));
        ShapeException.ThrowUnless(nameof(MatMul), "B", b, transposeB ? new Shape(columns, steps) : new Shape(steps, columns));
        if (rows == 0 || columns == 0 || steps == 0)
        {
            if (!accumulate)
                Fill(c, 0);
        }
        else if (rows <= DotProductsKernel.MaxVectors)
            MultiplyFewRows(left, right, product, transposeA, transposeB, accumulate);
        else if (columns <= DotProductsKernel.MaxVectors && !transposeA)
            MultiplyFewColumns(left, right, product, transposeB, accumulate);
        else
        {
            var (lanesOfA, lanesOfB) = (new PanelSource(left.Data, left.Stride, transposeA), new PanelSource(right.Data, right.Stride, !transposeB));
            _product.Multiply(lanesOfA, lanesOfB, product, steps, accumulate);
        }
    }

    private static IMatrixProduct CreateProduct(SimdWidth simd, WorkerPool pool, CpuAllocator memory) => simd switch
    {
        SimdWidth.Bits512 => new PackedProduct<Simd512>(pool, memory),
        SimdWidth.Bits256 => new PackedProduct<Simd256>(pool, memory),
        SimdWidth.Bits128 => new PackedProduct<Simd128>(pool, memory),
        _ => new PackedProduct<SimdScalar>(pool, memory),
    };

    // Few rows of C: B is streamed, A stays in the cache.
    private void MultiplyFewRows(in Rows a, in Rows b, in Rows c, bool transposeA, bool transposeB, bool accumulate)
    {
        using var scratch = _memory.Borrow(transposeA ? a.Count * a.Columns * sizeof(float) : 0);
        var vectors = transposeA ? Transposed(a, scratch) : a;
        if (transposeB)
            _runner.Run(new DotProductsKernel(b, vectors, c[0], c.Stride, 1, accumulate), b.Count, DotGrain(b.Columns));
        else
            _runner.Run(new CombineRowsKernel(vectors, b, c, accumulate), c.Columns, CombineRowsKernel.Grain);
    }

    // Few columns of C: A is streamed, B stays in the cache.
    private void MultiplyFewColumns(in Rows a, in Rows b, in Rows c, bool transposeB, bool accumulate)
    {
        using var scratch = _memory.Borrow(transposeB ? 0 : b.Count * b.Columns * sizeof(float));
        var vectors = transposeB ? b : Transposed(b, scratch);
        _runner.Run(new DotProductsKernel(a, vectors, c[0], 1, c.Stride, accumulate), a.Count, DotGrain(a.Columns));
    }

    // About 128 KB of rows, a multiple of the four that are read together.
    private static long DotGrain(int columns) => Math.Max(4, 32 * 1024 / columns & ~3);

    private static Rows Transposed(in Rows matrix, in Scratch scratch)
    {
        for (long row = 0; row < matrix.Count; row++)
            for (int column = 0; column < matrix.Columns; column++)
                scratch.Floats[column * matrix.Count + row] = matrix[row][column];
        return new Rows((nint)scratch.Floats, matrix.Columns, (int)matrix.Count, (nint)matrix.Count);
    }
}

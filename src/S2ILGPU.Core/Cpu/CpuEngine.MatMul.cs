using S2ILGPU.Cpu.Elementwise;
using S2ILGPU.Cpu.InnerLoops;
using S2ILGPU.Cpu.MatMul;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu;

public sealed unsafe partial class CpuEngine
{
    // The most rows or columns of C that are computed as dot products.
    private const int MaxVectors = 8;

    private readonly IMatrixProduct _product;

    /// <inheritdoc/>
    public void MatMul(in MatMulArguments arguments)
    {
        var (a, b, c, transposeA, transposeB, accumulate) = arguments;
        if (a.Shape.Rank != 2 || b.Shape.Rank != 2 || c.Shape.Rank != 2)
            throw new ShapeException(nameof(MatMul), "A, B, C", "matrices", $"{a.Shape}, {b.Shape}, {c.Shape}");
        int rows = c.Shape[0], columns = c.Shape[1], steps = a.Shape[transposeA ? 0 : 1];
        ShapeException.ThrowUnless(nameof(MatMul), "A", a, transposeA ? new Shape(steps, rows)
            : new Shape(rows, steps));
        ShapeException.ThrowUnless(nameof(MatMul), "B", b, transposeB ? new Shape(columns, steps)
            : new Shape(steps, columns));
        if (rows == 0 || columns == 0 || steps == 0)
        {
            if (!accumulate)
                Fill(c, 0);
            return;
        }
        // Kernels widen a transposed B of 16 bits while they read it; everything else is widened before.
        bool isShort = transposeB && IsShort(b);
        using WideRows left = Widen(a), product = Widen(c, accumulate),
            right = isShort ? new WideRows(CpuTensors.RowsOf(b, ElementType.BFloat16)) : Widen(b);
        Multiply(left.Rows, right.Rows, product.Rows, arguments, isShort);
        RoundInto(c, product);
    }

    private static IMatrixProduct CreateProduct(SimdWidth simd, WorkerPool pool, CpuAllocator memory,
        Blocking blocking) => simd switch
    {
        SimdWidth.Bits512 => new PackedProduct<Simd512>(pool, memory, blocking),
        SimdWidth.Bits256 => new PackedProduct<Simd256>(pool, memory, blocking),
        SimdWidth.Bits128 => new PackedProduct<Simd128>(pool, memory, blocking),
        _ => new PackedProduct<SimdScalar>(pool, memory, blocking),
    };

    private void Multiply(in Rows a, in Rows b, in Rows c, in MatMulArguments arguments, bool isShort)
    {
        var (_, _, _, transposeA, transposeB, accumulate) = arguments;
        if (c.Count <= MaxVectors)
            MultiplyFewRows(a, b, c, transposeA, transposeB, accumulate, isShort);
        else if (c.Columns <= MaxVectors && !transposeA)
            MultiplyFewColumns(a, b, c, transposeB, accumulate, isShort);
        else
            _product.Multiply(new PanelSource(a.Data, a.Stride, transposeA),
                new PanelSource(b.Data, b.Stride, !transposeB, isShort), c, transposeA ? (int)a.Count : a.Columns,
                accumulate);
    }

    // Few rows of C: B is streamed, A stays in the cache.
    private void MultiplyFewRows(in Rows a, in Rows b, in Rows c, bool transposeA, bool transposeB, bool accumulate,
        bool isShort)
    {
        using var scratch = _memory.Borrow(transposeA ? a.Count * a.Columns * sizeof(float) : 0);
        var vectors = transposeA ? Transposed(a, scratch) : a;
        if (isShort)
            _runner.Run(new DotProductsKernel<StoredBFloat16>(b, vectors, c[0], c.Stride, 1, accumulate), b.Count,
                DotGrain(b.Columns));
        else if (transposeB)
            _runner.Run(new DotProductsKernel<StoredSingle>(b, vectors, c[0], c.Stride, 1, accumulate), b.Count,
                DotGrain(b.Columns));
        else
            _runner.Run(new CombineRowsKernel(vectors, b, c, accumulate), c.Columns, CombineRowsKernel.Grain);
    }

    // Few columns of C: A is streamed, B stays in the cache.
    private void MultiplyFewColumns(in Rows a, in Rows b, in Rows c, bool transposeB, bool accumulate, bool isShort)
    {
        using var scratch = _memory.Borrow(transposeB && !isShort ? 0 : b.Count * b.Columns * sizeof(float));
        var vectors = !transposeB ? Transposed(b, scratch) : isShort ? Widened(b, scratch) : b;
        _runner.Run(new DotProductsKernel<StoredSingle>(a, vectors, c[0], 1, c.Stride, accumulate), a.Count,
            DotGrain(a.Columns));
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

    // A matrix as floats: in place, or in scratch memory, which is filled where it will be read.
    private WideRows Widen(Tensor matrix, bool isRead = true)
    {
        if (!IsShort(matrix))
            return new WideRows(CpuTensors.RowsOf(matrix));
        var stored = CpuTensors.RowsOf(matrix, ElementType.BFloat16);
        var scratch = _memory.Borrow(stored.Count * stored.Columns * sizeof(float));
        var rows = new Rows((nint)scratch.Floats, stored.Count, stored.Columns, stored.Columns);
        if (isRead)
            Widened(stored, scratch);
        return new WideRows(rows, scratch);
    }

    private Rows Widened(in Rows stored, in Scratch scratch)
    {
        var rows = new Rows((nint)scratch.Floats, stored.Count, stored.Columns, stored.Columns);
        _runner.Run(new ConvertRowsKernel<StoredBFloat16, StoredSingle>(stored, rows), rows.Count,
            RowGrain(rows.Columns));
        return rows;
    }

    private void RoundInto(Tensor matrix, in WideRows wide)
    {
        if (IsShort(matrix))
            _runner.Run(new ConvertRowsKernel<StoredSingle, StoredBFloat16>(wide.Rows,
                CpuTensors.RowsOf(matrix, ElementType.BFloat16)), wide.Rows.Count, RowGrain(wide.Rows.Columns));
    }
}

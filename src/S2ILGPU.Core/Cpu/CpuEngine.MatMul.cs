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
        arguments.ThrowUnlessShapesFit();
        var c = arguments.C;
        if (c.Count == 0)
            return;
        bool isEmpty = arguments.A.Count == 0;
        if (isEmpty && !arguments.Accumulate)
            Fill(c, 0);
        using var product = Widen(c, arguments.Accumulate || isEmpty);
        if (!isEmpty)
            Multiply(product.Rows, arguments);
        if (arguments.Bias is not null || arguments.Residual is not null)
            AddTo(product.Rows, arguments.Bias, arguments.Residual);
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

    private void Multiply(in Rows c, in MatMulArguments arguments)
    {
        // Kernels widen a transposed B of 16 bits while they read it; everything else is widened before.
        var b = arguments.B;
        var type = arguments.TransposeB && b.ElementType is ElementType.BFloat16 or ElementType.Float16 ? b.ElementType
            : ElementType.Float32;
        using WideRows left = Widen(arguments.A),
            right = type == b.ElementType ? new WideRows(CpuTensors.RowsOf(b, type)) : Widen(b);
        Multiply(left.Rows, right.Rows, c, arguments, type);
    }

    // After the product instead of in the tiles of its three kernels: beside a product of many rows a pass over C is
    // little, and C of few rows is in the cache.
    private void AddTo(in Rows sums, Tensor? bias, Tensor? residual)
    {
        if (residual is not null && IsShort(residual))
            AddTo<StoredBFloat16>(sums, bias, CpuTensors.RowsOf(residual, ElementType.BFloat16));
        else
            AddTo<StoredSingle>(sums, bias, residual is null ? default : CpuTensors.RowsOf(residual));
    }

    private void AddTo<TStored>(in Rows sums, Tensor? bias, in Rows residual)
        where TStored : unmanaged, IStoredValue<TStored> =>
        _runner.Run(new AddToRowsKernel<TStored>(bias is null ? null : CpuTensors.Floats(bias), residual, sums),
            sums.Count, RowGrain(sums.Columns));

    private void Multiply(in Rows a, in Rows b, in Rows c, in MatMulArguments arguments, ElementType type)
    {
        var (_, _, _, transposeA, transposeB, accumulate) = arguments;
        long few = transposeA ? 0 : Math.Min(arguments.FewRows, c.Count);
        if (few > 0 && few < c.Count)
        {
            MultiplyFewRows(a.Range(0, few), b, c.Range(0, few), transposeA, transposeB, accumulate, type);
            Multiply(a.Range(few, c.Count - few), b, c.Range(few, c.Count - few), arguments with { FewRows = 0 },
                type);
        }
        else if (c.Count <= Math.Max(MaxVectors, few))
            MultiplyFewRows(a, b, c, transposeA, transposeB, accumulate, type);
        else if (c.Columns <= MaxVectors && !transposeA)
            MultiplyFewColumns(a, b, c, transposeB, accumulate, type);
        else
            _product.Multiply(new PanelSource(a.Data, a.Stride, transposeA),
                new PanelSource(b.Data, b.Stride, !transposeB, type), c, transposeA ? (int)a.Count : a.Columns,
                accumulate);
    }

    // Few rows of C: B is streamed, A stays in the cache.
    private void MultiplyFewRows(in Rows a, in Rows b, in Rows c, bool transposeA, bool transposeB, bool accumulate,
        ElementType type)
    {
        using var scratch = _memory.Borrow(transposeA ? a.Count * a.Columns * sizeof(float) : 0);
        var vectors = transposeA ? Transposed(a, scratch) : a;
        if (type == ElementType.BFloat16)
            MultiplyVectors<StoredBFloat16>(b, vectors, c, accumulate);
        else if (type == ElementType.Float16)
            MultiplyVectors<StoredHalf>(b, vectors, c, accumulate);
        else if (transposeB)
            MultiplyVectors<StoredSingle>(b, vectors, c, accumulate);
        else
            _runner.Run(new CombineRowsKernel(vectors, b, c, accumulate), c.Columns, CombineRowsKernel.Grain);
    }

    private void MultiplyVectors<TStored>(in Rows b, in Rows vectors, in Rows c, bool accumulate)
        where TStored : unmanaged, IStoredFloat<TStored> =>
        _runner.Run(new DotProductsKernel<TStored>(b, vectors, c[0], c.Stride, 1, accumulate), b.Count,
            DotGrain(b.Columns, vectors.Count));

    // Few columns of C: A is streamed, B stays in the cache.
    private void MultiplyFewColumns(in Rows a, in Rows b, in Rows c, bool transposeB, bool accumulate,
        ElementType type)
    {
        bool isInPlace = transposeB && type == ElementType.Float32;
        using var scratch = _memory.Borrow(isInPlace ? 0 : b.Count * b.Columns * sizeof(float));
        var vectors = isInPlace ? b : transposeB ? Widened(b, type, scratch) : Transposed(b, scratch);
        _runner.Run(new DotProductsKernel<StoredSingle>(a, vectors, c[0], 1, c.Stride, accumulate), a.Count,
            DotGrain(a.Columns, vectors.Count));
    }

    // About 128 KB of rows for a few vectors, less for more, so that small matrices have items for all workers; a
    // multiple of the four rows that are read together. 64 vectors of 128 to 352 elements: 1.5 to 2 times as fast as
    // with 128 KB, on two threads.
    private static long DotGrain(int columns, long vectors) =>
        Math.Max(4, 32 * 1024 / columns / Math.Max(1, vectors / 4) & ~3);

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
            Widened(stored, ElementType.BFloat16, scratch);
        return new WideRows(rows, scratch);
    }

    private Rows Widened(in Rows stored, ElementType type, in Scratch scratch)
    {
        var rows = new Rows((nint)scratch.Floats, stored.Count, stored.Columns, stored.Columns);
        if (type == ElementType.BFloat16)
            Convert<StoredBFloat16, StoredSingle>(stored, rows);
        else
            Convert<StoredHalf, StoredSingle>(stored, rows);
        return rows;
    }

    private void Convert<TFrom, TTo>(in Rows from, in Rows to) where TFrom : unmanaged, IStoredFloat<TFrom>
        where TTo : unmanaged, IStoredValue<TTo> =>
        _runner.Run(new ConvertRowsKernel<TFrom, TTo>(from, to), to.Count, RowGrain(to.Columns));

    private void RoundInto(Tensor matrix, in WideRows wide)
    {
        if (IsShort(matrix))
            Convert<StoredSingle, StoredBFloat16>(wide.Rows, CpuTensors.RowsOf(matrix, ElementType.BFloat16));
    }
}

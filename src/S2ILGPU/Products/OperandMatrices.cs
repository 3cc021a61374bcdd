using S2ILGPU.Engines;
using S2ILGPU.Memory;
using S2ILGPU.Queue;
using S2ILGPU.Tensors;
using S2ILGPU.Tiles;

namespace S2ILGPU.Products;

/// <summary>Tensors as the tensor-core kernels of products read and write them.</summary>
/// <param name="queue">The device.</param>
internal sealed class OperandMatrices(DeviceQueue queue)
{
    // Kernels copy 16 bytes at a time, and count the bytes between the rows of a tile in 32 bits.
    private const int ChunkBytes = 16, HalfBytes = 2;
    private const long MaxStrideBytes = 1L << 23;

    /// <summary>A matrix that kernels can read: the tensor, or where its rows have odd places or lengths a copy whose
    /// rows are filled up with zeros.</summary>
    /// <param name="tensor">Read; 16-bit elements or Float32.</param>
    /// <returns>To be disposed.</returns>
    /// <exception cref="ArgumentException">The elements of a row are not adjacent.</exception>
    public Tensor ToRead(Tensor tensor)
    {
        var rows = queue.Tensors.Rows(tensor, tensor.ElementType);
        int chunk = ChunkBytes / tensor.ElementType.SizeBytes();
        return rows.Offset % chunk == 0 && rows.Columns % chunk == 0 && (rows.Count == 1
            || (rows.Stride % chunk == 0 && rows.Stride * tensor.ElementType.SizeBytes() <= MaxStrideBytes))
            ? tensor.Share() : Filled(tensor);
    }

    /// <summary>A copy with rows and columns exchanged that kernels can read.</summary>
    /// <param name="tensor">A matrix of any strides. Read.</param>
    /// <returns>To be disposed.</returns>
    public Tensor Transposed(Tensor tensor)
    {
        using var view = tensor.Permute(1, 0);
        return Filled(view);
    }

    /// <summary>A tensor from <see cref="ToRead"/> or <see cref="Transposed"/>.</summary>
    public Matrix MatrixOf(Tensor tensor)
    {
        var rows = queue.Tensors.Rows(tensor, tensor.ElementType);
        int halves = tensor.ElementType.SizeBytes() / HalfBytes;
        return new Matrix
        {
            Memory = rows.Words.Cast<U4>(),
            Offset = rows.Offset * halves,
            Stride = rows.Stride * halves,
            Rows = (int)rows.Count,
            Columns = checked(rows.Columns * halves),
        };
    }

    private static bool IsAligned(in DeviceRows rows) => rows.Offset % 4 == 0 && rows.Stride % 4 == 0;

    // A copy, its rows filled up to whole chunks.
    private Tensor Filled(Tensor tensor)
    {
        int columns = tensor.Shape[1], chunk = ChunkBytes / tensor.ElementType.SizeBytes(),
            width = checked((columns + chunk - 1) / chunk * chunk);
        using var filled = queue.Allocate(new Shape(tensor.Shape[0], width), tensor.ElementType);
        if (width > columns)
            queue.Fill(filled, 0);
        var copy = filled.Slice(1, 0, columns);
        queue.Copy(tensor, copy);
        return copy;
    }

    /// <summary>What receives the results of a product, Float32 or of the operands' type, and what is added to
    /// them.</summary>
    /// <exception cref="ArgumentException">The elements of a row are not adjacent.</exception>
    public ResultMatrix ResultOf(in MatMulArguments a)
    {
        var rows = queue.Tensors.Rows(a.C, a.C.ElementType);
        var addend = a.Residual is { } residual ? queue.Tensors.Rows(residual, a.C.ElementType)
            : a.Accumulate ? rows : default;
        return new ResultMatrix
        {
            Memory = rows.Words,
            Offset = rows.Offset,
            Stride = rows.Stride,
            Rows = (int)rows.Count,
            Columns = rows.Columns,
            IsSingle = a.C.ElementType == ElementType.Float32 ? 1 : 0,
            Addend = addend.Words,
            AddendOffset = addend.Offset,
            AddendStride = addend.Stride,
            Bias = a.Bias is null ? default : queue.Tensors.Floats(a.Bias),
            HasAddend = a.Residual is not null || a.Accumulate ? 1 : 0,
            HasBias = a.Bias is null ? 0 : 1,
            AreQuadsAligned = IsAligned(rows) && IsAligned(addend) && (a.Bias?.OffsetElements ?? 0) % 4 == 0 ? 1 : 0,
        };
    }
}

namespace S2ILGPU.Tensors;

/// <summary>A tensor seen as evenly spaced rows of adjacent elements: element (r, c) is
/// <c>OffsetElements + r Stride + c</c>.</summary>
/// <param name="Count">Number of rows: the product of all extents but the last.</param>
/// <param name="Columns">Elements of a row: the last extent, 1 for a scalar.</param>
/// <param name="Stride">Distance between rows, in elements.</param>
public readonly record struct TensorRows(long Count, int Columns, long Stride)
{
    /// <summary>The rows of a tensor, for engines whose kernels take any row stride.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <param name="expected">The element type that it must have.</param>
    /// <returns>Count, length and distance of the rows.</returns>
    /// <exception cref="ArgumentException">The tensor has another element type than expected, or its rows are not
    /// evenly spaced or their elements not adjacent.</exception>
    public static TensorRows Of(Tensor tensor, ElementType expected = ElementType.Float32)
    {
        var shape = tensor.Shape;
        int columns = shape.Rank == 0 ? 1 : shape[-1];
        bool even = shape.Rank == 0 || columns <= 1 || tensor.Stride(-1) == 1;
        long rows = 1, stride = columns;
        for (int d = shape.Rank - 2; d >= 0; d--)
        {
            if (shape[d] != 1)
            {
                even &= rows == 1 || tensor.Stride(d) == stride * rows;
                stride = rows == 1 ? tensor.Stride(d) : stride;
            }
            rows *= shape[d];
        }
        if (tensor.ElementType != expected || !even)
            throw new ArgumentException(
                $"expected {expected} rows of adjacent elements, got {tensor}{(even ? "" : ", strided")}");
        return new TensorRows(rows, columns, stride);
    }
}

namespace S2ILGPU.Tensors;

/// <summary>A strided view of device memory: buffer, offset, shape, strides, element type. It has no operations of its
/// own; engines have.</summary>
/// <remarks>Views share the buffer and hold a reference to it; dispose each tensor once. Not thread-safe.</remarks>
public sealed class Tensor : IDisposable
{
    private readonly Shape _strides;
    private DeviceBuffer? _buffer;

    private Tensor(DeviceBuffer buffer, long offsetElements, Shape shape, Shape strides, ElementType elementType)
    {
        buffer.AddReference();
        _buffer = buffer;
        OffsetElements = offsetElements;
        Shape = shape;
        _strides = strides;
        ElementType = elementType;
    }

    /// <summary>Wraps a buffer as a contiguous tensor.</summary>
    /// <param name="buffer">Device memory of at least the tensor's size; the tensor takes a reference.</param>
    /// <param name="shape">The shape.</param>
    /// <param name="elementType">The element type.</param>
    /// <exception cref="ArgumentException">The buffer is too small.</exception>
    /// <exception cref="ShapeException">The product of the extents after the first exceeds a stride, which has 32
    /// bits.</exception>
    public static Tensor Create(DeviceBuffer buffer, Shape shape, ElementType elementType)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        if (shape.Count * elementType.SizeBytes() > buffer.SizeBytes)
            throw new ArgumentException(
                $"{elementType} {shape} needs {shape.Count * elementType.SizeBytes()} bytes, the buffer has "
                + $"{buffer.SizeBytes}");
        return new Tensor(buffer, 0, shape, ContiguousStrides(shape), elementType);
    }

    /// <summary>Wraps a buffer as a tensor of given strides, which the caller has checked against its size.</summary>
    internal static Tensor Create(DeviceBuffer buffer, Shape shape, Shape strides, ElementType elementType) =>
        new(buffer, 0, shape, strides, elementType);

    /// <summary>The memory underneath.</summary>
    /// <exception cref="ObjectDisposedException">The tensor was disposed.</exception>
    public DeviceBuffer Buffer =>
        _buffer ?? throw new ObjectDisposedException(nameof(Tensor), $"tensor {Shape} was disposed");

    /// <summary>Position of the first element in the buffer, in elements.</summary>
    public long OffsetElements { get; }

    /// <summary>The extents, outermost first.</summary>
    public Shape Shape { get; }

    /// <summary>The element type.</summary>
    public ElementType ElementType { get; }

    /// <summary>Number of elements.</summary>
    public long Count => Shape.Count;

    /// <summary>Whether the tensor was disposed.</summary>
    public bool IsDisposed => _buffer is null;

    /// <summary>Distance between neighbours along a dimension, in elements; a negative index counts from the
    /// end.</summary>
    /// <param name="dimension">The dimension.</param>
    public int Stride(int dimension) => _strides[dimension];

    /// <summary>Whether the elements lie densely in row-major order.</summary>
    public bool IsContiguous
    {
        get
        {
            long expected = 1;
            for (int d = Shape.Rank - 1; d >= 0; expected *= Shape[d--])
                if (Shape[d] != 1 && _strides[d] != expected)
                    return false;
            return true;
        }
    }

    /// <summary>The same elements under another shape.</summary>
    /// <param name="shape">A shape with as many elements.</param>
    /// <returns>A view that shares the memory; dispose it too.</returns>
    /// <exception cref="ShapeException">The element counts differ, or the tensor is not contiguous.</exception>
    public Tensor Reshape(Shape shape)
    {
        if (shape.Count != Count || !IsContiguous)
            throw new ShapeException(nameof(Reshape), "tensor", $"contiguous with {shape.Count} elements",
                $"{Shape}{(IsContiguous ? "" : ", strided")}");
        return new Tensor(Buffer, OffsetElements, shape, ContiguousStrides(shape), ElementType);
    }

    /// <summary>A range of one dimension.</summary>
    /// <param name="dimension">The dimension; a negative index counts from the end.</param>
    /// <param name="start">First index.</param>
    /// <param name="count">Number of indices.</param>
    /// <returns>A view that shares the memory; dispose it too.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The range leaves the dimension.</exception>
    public Tensor Slice(int dimension, int start, int count)
    {
        if (start < 0 || count < 0 || start > Shape[dimension] - count)
            throw new ArgumentOutOfRangeException(nameof(start),
                $"slice {start}..{start + count} of dimension {dimension} of {Shape}");
        return new Tensor(Buffer, OffsetElements + (long)start * _strides[dimension], Shape.With(dimension, count),
            _strides, ElementType);
    }

    /// <summary>The dimensions in another order, as in <c>Permute(0, 2, 1, 3)</c> for [B, H, N, D] seen as [B, N, H,
    /// D].</summary>
    /// <param name="dimensions">Each dimension once.</param>
    /// <returns>A view that shares the memory; dispose it too.</returns>
    /// <exception cref="ArgumentException">The dimensions are not a permutation.</exception>
    public Tensor Permute(params ReadOnlySpan<int> dimensions)
    {
        Span<int> extents = stackalloc int[Shape.Rank], strides = stackalloc int[Shape.Rank];
        int seen = 0;
        for (int d = 0; d < dimensions.Length && d < Shape.Rank; d++)
        {
            extents[d] = Shape[dimensions[d]];
            strides[d] = _strides[dimensions[d]];
            seen |= 1 << dimensions[d];
        }
        if (dimensions.Length != Shape.Rank || seen != (1 << Shape.Rank) - 1)
            throw new ArgumentException(
                $"[{string.Join(", ", dimensions.ToArray())}] is not a permutation of the dimensions of {Shape}");
        return new Tensor(Buffer, OffsetElements, new Shape(extents), new Shape(strides), ElementType);
    }

    /// <summary>Splits one dimension into two, as in [B, N, H * D] seen as [B, N, H, D].</summary>
    /// <param name="dimension">The dimension; a negative index counts from the end.</param>
    /// <param name="inner">Extent of the new inner dimension; divides the dimension.</param>
    /// <returns>A view that shares the memory; dispose it too.</returns>
    /// <exception cref="ShapeException">The extent does not divide.</exception>
    public Tensor Split(int dimension, int inner)
    {
        int at = dimension < 0 ? dimension + Shape.Rank : dimension;
        if (inner < 1 || Shape[at] % inner != 0)
            throw new ShapeException(nameof(Split), $"dimension {dimension}", $"a multiple of {inner}",
                Shape.ToString());
        Span<int> extents = stackalloc int[Shape.Rank + 1], strides = stackalloc int[Shape.Rank + 1];
        for (int d = 0, to = 0; d < Shape.Rank; d++, to++)
        {
            (extents[to], strides[to]) = (Shape[d], _strides[d]);
            if (d != at)
                continue;
            (extents[to], strides[to]) = (Shape[d] / inner, _strides[d] * inner);
            to++;
            (extents[to], strides[to]) = (inner, _strides[d]);
        }
        return new Tensor(Buffer, OffsetElements, new Shape(extents), new Shape(strides), ElementType);
    }

    /// <summary>Another holder of the same view.</summary>
    /// <returns>A view that shares the memory; dispose it too.</returns>
    public Tensor Share() => new(Buffer, OffsetElements, Shape, _strides, ElementType);

    /// <summary>Lets go of the memory; the last view of a buffer gives it back to the engine.</summary>
    public void Dispose()
    {
        _buffer?.Release();
        _buffer = null;
    }

    /// <summary>Element type and shape, as in <c>Float32 [2, 128, 8, 64]</c>.</summary>
    public override string ToString() => $"{ElementType} {Shape}";

    private static Shape ContiguousStrides(Shape shape)
    {
        Span<int> strides = stackalloc int[shape.Rank];
        long stride = 1;
        for (int d = shape.Rank - 1; d >= 0; stride *= Math.Max(1, shape[d--]))
            strides[d] = stride <= int.MaxValue
                ? (int)stride
                : throw new ShapeException(nameof(Tensor), $"the product of the extents after dimension {d}",
                    $"at most {int.MaxValue}", shape.ToString());
        return new Shape(strides);
    }
}

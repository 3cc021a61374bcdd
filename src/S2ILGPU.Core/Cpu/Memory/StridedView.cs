using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Memory;

/// <summary>Elements in memory, of a tensor or of the host: address, type, extents and strides.</summary>
internal readonly unsafe struct StridedView(byte* data, ElementType elementType, Shape shape, Shape strides)
{
    /// <summary>The first element.</summary>
    public byte* Data { get; } = data;

    public ElementType ElementType { get; } = elementType;

    public Shape Shape { get; } = shape;

    /// <summary>Distances between neighbours, in elements.</summary>
    public Shape Strides { get; } = strides;

    /// <summary>The elements of a tensor of the CPU engine.</summary>
    /// <exception cref="ArgumentException">The tensor lives on another device.</exception>
    public static StridedView Of(Tensor tensor)
    {
        Span<int> strides = stackalloc int[tensor.Shape.Rank];
        for (int d = 0; d < strides.Length; d++)
            strides[d] = tensor.Stride(d);
        return new StridedView(CpuTensors.Address(tensor), tensor.ElementType, tensor.Shape, new Shape(strides));
    }

    /// <summary>Dense elements in row-major order.</summary>
    public static StridedView Contiguous(void* data, Shape shape, ElementType elementType)
    {
        Span<int> strides = stackalloc int[shape.Rank];
        for (int d = strides.Length - 1, stride = 1; d >= 0; stride *= Math.Max(1, shape[d--]))
            strides[d] = stride;
        return new StridedView((byte*)data, elementType, shape, new Shape(strides));
    }
}

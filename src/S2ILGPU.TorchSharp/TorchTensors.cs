using S2ILGPU.Cpu;
using S2ILGPU.Tensors;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace S2ILGPU.TorchSharp;

/// <summary>From TorchSharp's tensors to the engine's, with checks.</summary>
internal static unsafe class TorchTensors
{
    /// <summary>The tensor outside of the graph, or a dense copy where the elements of a head are apart.</summary>
    /// <returns>A tensor that the caller disposes.</returns>
    /// <exception cref="ArgumentException">Another device, element type or kind of tensor.</exception>
    public static Tensor Readable(Tensor? tensor, string name)
    {
        ArgumentNullException.ThrowIfNull(tensor, name);
        if (tensor.device_type != global::TorchSharp.DeviceType.CPU)
            throw new ArgumentException(
                $"{name} is on {tensor.device}: tensors of the CPU are supported, move it with .cpu()");
        if (tensor.is_sparse)
            throw new ArgumentException($"{name} is stored as a sparse tensor: make it dense with .to_dense()");
        if (TypeOf(tensor.dtype) is null)
            throw new ArgumentException($"{name} is {tensor.dtype}, which is not one of Float32, BFloat16");
        long[] shape = tensor.shape, strides = tensor.stride();
        if (shape.Length is < 1 or > Shape.MaxRank || shape.Any(extent => extent > int.MaxValue))
            throw new ArgumentException($"{name} has 1 to {Shape.MaxRank} dimensions with extents up to "
                + $"{int.MaxValue}, got [{string.Join(", ", shape)}]");
        bool isAdjacent = (shape[^1] <= 1 || strides[^1] == 1) && strides.All(stride => stride <= int.MaxValue);
        var detached = tensor.detach();
        if (isAdjacent)
            return detached;
        using (detached)
            return detached.contiguous();
    }

    /// <summary>The memory of a <see cref="Readable"/> or new tensor as a tensor of the CPU engine.</summary>
    /// <returns>A view that the caller disposes; the memory is that of <paramref name="tensor"/>.</returns>
    public static Tensors.Tensor View(Tensor tensor)
    {
        long[] shape = tensor.shape, strides = tensor.stride();
        Span<int> extents = stackalloc int[shape.Length], steps = stackalloc int[shape.Length];
        for (int d = 0; d < shape.Length; d++)
        {
            extents[d] = (int)shape[d];
            // A dimension with one index has no neighbours, and libtorch keeps any stride there.
            steps[d] = extents[d] <= 1 ? 0 : (int)strides[d];
        }
        if (extents[^1] <= 1)
            steps[^1] = 1;
        return CpuEngine.View(Address(tensor), TypeOf(tensor.dtype)!.Value, new Shape(extents), new Shape(steps));
    }

    /// <summary>New memory of a tensor's type on the CPU.</summary>
    public static Tensor Empty(ReadOnlySpan<long> shape, ScalarType type) => empty(shape, type, CPU);

    private static ElementType? TypeOf(ScalarType type) => type switch
    {
        ScalarType.Float32 => ElementType.Float32,
        ScalarType.BFloat16 => ElementType.BFloat16,
        _ => null,
    };

    // TorchSharp gives addresses of contiguous tensors only, as spans of at most 2 GB: that of the first element alone.
    private static nint Address(Tensor tensor)
    {
        if (tensor.numel() == 0)
            return 0;
        using var first = tensor.as_strided([1], [1], tensor.storage_offset());
        fixed (byte* address = first.bytes)
            return (nint)address;
    }
}

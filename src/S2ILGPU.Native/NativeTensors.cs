using S2ILGPU.Cpu;
using S2ILGPU.Tensors;

namespace S2ILGPU.Native;

/// <summary>From <c>s2_tensor</c> to tensors, with the checks that the numbers of a stranger need.</summary>
internal static unsafe class NativeTensors
{
    /// <summary>The caller's memory as a tensor of the CPU engine.</summary>
    /// <exception cref="ArgumentException">The structure or its memory is NULL, or the memory is not
    /// aligned.</exception>
    /// <exception cref="ShapeException">Type, rank, an extent or a stride is not one.</exception>
    public static Tensor View(NativeTensor* tensor, string name)
    {
        if (tensor == null)
            throw new ArgumentException($"{name} is NULL");
        if (tensor->Rank is < 1 or > Shape.MaxRank)
            throw new ShapeException("s2_tensor", name, $"of rank 1 to {Shape.MaxRank}", $"rank {tensor->Rank}");
        Span<int> extents = stackalloc int[tensor->Rank], strides = stackalloc int[tensor->Rank];
        bool isEmpty = false;
        for (int d = 0; d < extents.Length; d++)
        {
            extents[d] = Checked(tensor->Shape[d], name, "extent", d);
            isEmpty |= extents[d] == 0;
        }
        // A dimension with one index has no neighbours, and neither has one of an empty tensor: libraries write any
        // stride there (NumPy writes 0 in all dimensions of what is empty).
        for (int d = 0; d < extents.Length; d++)
            strides[d] = isEmpty || extents[d] <= 1 ? 0 : Checked(tensor->Strides[d], name, "stride", d);
        // What is empty has no address; what is adjacent says so in its last stride.
        if (isEmpty || extents[^1] <= 1)
            strides[^1] = 1;
        return CpuEngine.View(isEmpty ? 0 : (nint)tensor->Data, TypeOf(tensor->Type, name), new Shape(extents),
            new Shape(strides));
    }

    /// <summary>Checks that no two elements of a tensor that is written share their memory.</summary>
    /// <exception cref="ShapeException">They may: a stride is below what the dimensions within it span.</exception>
    public static void CheckNoOverlap(Tensor tensor, string name)
    {
        if (tensor.Count == 0)
            return;
        Span<(int Stride, int Extent)> dimensions = stackalloc (int, int)[tensor.Shape.Rank];
        for (int d = 0; d < dimensions.Length; d++)
            dimensions[d] = (tensor.Shape[d] <= 1 ? 0 : tensor.Stride(d), tensor.Shape[d]);
        dimensions.Sort();
        long span = 1;
        foreach (var (stride, extent) in dimensions)
        {
            if (extent <= 1)
                continue;
            if (stride < span)
                throw new ShapeException("s2_tensor", name, "free of overlaps, since it is written",
                    $"{tensor} with a stride of {stride}");
            span = (long)stride * (extent - 1) + span;
        }
    }

    private static int Checked(long value, string name, string what, int dimension) =>
        value is >= 0 and <= int.MaxValue ? (int)value
            : throw new ShapeException("s2_tensor", name, $"of {what}s from 0 to {int.MaxValue}",
            $"{what} {value} in dimension {dimension}");

    private static ElementType TypeOf(int type, string name) => type switch
    {
        0 => ElementType.Float32,
        1 => ElementType.Float16,
        2 => ElementType.BFloat16,
        _ => throw new ShapeException("s2_tensor", name, "of type 0 (fp32), 1 (fp16) or 2 (bf16)", $"type {type}"),
    };
}

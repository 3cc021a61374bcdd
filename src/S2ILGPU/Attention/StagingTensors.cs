using S2ILGPU.Queue;
using S2ILGPU.Tensors;

namespace S2ILGPU.Attention;

/// <summary>Tensors for kernels that demand an element type, an alignment or adjacent elements: a tensor that has them
/// is used as it is, any other through a dense staging copy for the duration of a call.</summary>
internal sealed class StagingTensors(DeviceQueue queue)
{
    /// <summary>The tensor [B, N, H, D], or a staging copy of it.</summary>
    /// <param name="tensor">Read.</param>
    /// <param name="elementType">What the kernel reads; null for any.</param>
    /// <param name="alignment">Rows must begin at multiples of so many elements.</param>
    /// <returns>To be disposed.</returns>
    public Tensor ToRead(Tensor tensor, ElementType? elementType = null, int alignment = 1)
    {
        if (Fits(tensor, elementType, alignment))
            return tensor.Share();
        var copy = queue.Allocate(tensor.Shape, elementType ?? tensor.ElementType);
        queue.Copy(tensor, copy);
        return copy;
    }

    /// <summary>The tensor, or a staging copy of it with adjacent elements.</summary>
    /// <param name="tensor">Read.</param>
    /// <returns>To be disposed.</returns>
    public Tensor ToReadContiguous(Tensor tensor)
    {
        if (tensor.IsContiguous)
            return tensor.Share();
        var copy = queue.Allocate(tensor.Shape, tensor.ElementType);
        queue.Copy(tensor, copy);
        return copy;
    }

    /// <summary>The tensor [B, N, H, D], or a staging tensor, written back by <see cref="CopyBack"/>. It is zero where
    /// the kernel writes nothing: rows of padding.</summary>
    /// <param name="tensor">Not read.</param>
    /// <param name="elementType">What the kernel writes; null for any.</param>
    /// <param name="alignment">Rows must begin at multiples of so many elements.</param>
    /// <returns>To be disposed.</returns>
    public Tensor ToWrite(Tensor tensor, ElementType? elementType = null, int alignment = 1)
    {
        if (Fits(tensor, elementType, alignment))
            return tensor.Share();
        var staging = queue.Allocate(tensor.Shape, elementType ?? tensor.ElementType);
        queue.Fill(staging, 0);
        return staging;
    }

    /// <summary>Copies a staging tensor to its tensor; nothing where the tensor was used as it is.</summary>
    public void CopyBack(Tensor staging, Tensor tensor)
    {
        if (staging.Buffer != tensor.Buffer)
            queue.Copy(staging, tensor);
    }

    /// <summary>Whether the rows of a tensor begin at multiples of so many elements.</summary>
    public static bool IsAligned(Tensor tensor, int elements)
    {
        bool aligned = tensor.OffsetElements % elements == 0;
        for (int d = 0; d < 3; d++)
            aligned &= tensor.Shape[d] == 1 || tensor.Stride(d) % elements == 0;
        return aligned;
    }

    private static bool Fits(Tensor tensor, ElementType? elementType, int alignment) =>
        (elementType is null || tensor.ElementType == elementType) && IsAligned(tensor, alignment);
}

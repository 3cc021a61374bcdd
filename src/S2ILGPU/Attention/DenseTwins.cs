using S2ILGPU.Tensors;

namespace S2ILGPU.Attention;

/// <summary>Tensors [B, N, H, D] for kernels that demand an element type or an alignment: one that has it stands for
/// itself, any other has a dense twin for the duration of a call.</summary>
internal sealed class DenseTwins(IlgpuEngine engine)
{
    /// <summary>The tensor, or a twin with its elements.</summary>
    /// <param name="tensor">Read.</param>
    /// <param name="elementType">What the kernel reads; null for any.</param>
    /// <param name="alignment">Rows must begin at multiples of so many elements.</param>
    /// <returns>To be disposed.</returns>
    public Tensor ToRead(Tensor tensor, ElementType? elementType = null, int alignment = 1)
    {
        if (Fits(tensor, elementType, alignment))
            return tensor.Share();
        var twin = engine.Allocate(tensor.Shape, elementType ?? tensor.ElementType);
        engine.Copy(tensor, twin);
        return twin;
    }

    /// <summary>The tensor, or a twin that <see cref="CopyBack"/> brings home. The twin is zero where the kernel writes
    /// nothing: rows of padding.</summary>
    /// <param name="tensor">Not read.</param>
    /// <param name="elementType">What the kernel writes; null for any.</param>
    /// <param name="alignment">Rows must begin at multiples of so many elements.</param>
    /// <returns>To be disposed.</returns>
    public Tensor ToWrite(Tensor tensor, ElementType? elementType = null, int alignment = 1)
    {
        if (Fits(tensor, elementType, alignment))
            return tensor.Share();
        var twin = engine.Allocate(tensor.Shape, elementType ?? tensor.ElementType);
        engine.Fill(twin, 0);
        return twin;
    }

    /// <summary>Copies a twin to its tensor; nothing where the tensor stood for itself.</summary>
    public void CopyBack(Tensor twin, Tensor tensor)
    {
        if (twin.Buffer != tensor.Buffer)
            engine.Copy(twin, tensor);
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

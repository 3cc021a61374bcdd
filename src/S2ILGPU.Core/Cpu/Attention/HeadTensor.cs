using S2ILGPU.Cpu.Memory;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Attention;

/// <summary>A tensor [B, N, H, D] with adjacent D, as addresses.</summary>
/// <param name="Start">Address of the first element.</param>
/// <param name="BatchStride">Elements from one batch index to the next.</param>
/// <param name="TokenStride">Elements from one token to the next.</param>
/// <param name="HeadStride">Elements from one head to the next.</param>
/// <param name="ElementType">Element type.</param>
internal readonly unsafe record struct HeadTensor(nint Start, nint BatchStride, nint TokenStride, nint HeadStride,
    ElementType ElementType)
{
    /// <summary>Queries, outputs or gradients: Float32 or BFloat16.</summary>
    public static HeadTensor OfActivations(Tensor tensor)
    {
        if (tensor.ElementType is not (ElementType.Float32 or ElementType.BFloat16) || tensor.Shape.Rank != 4
            || !HasAdjacentRows(tensor))
            throw new ArgumentException(
                $"attention on the CPU needs Float32 or BFloat16 [B, N, H, D] with adjacent D, got {tensor}");
        return new HeadTensor((nint)CpuTensors.Address(tensor), tensor.Stride(0), tensor.Stride(1), tensor.Stride(2),
            tensor.ElementType);
    }

    /// <summary>Keys or values: float32 or a 16-bit type.</summary>
    public static HeadTensor OfKeys(Tensor tensor)
    {
        if (!IsReadable(tensor.ElementType) || tensor.Shape.Rank != 4 || !HasAdjacentRows(tensor))
            throw new ArgumentException(
                $"attention on the CPU needs keys and values [B, N, Hkv, D] of Float32, Float16 or BFloat16 with "
                + $"adjacent D, got {tensor}");
        return new HeadTensor((nint)CpuTensors.Address(tensor), tensor.Stride(0), tensor.Stride(1), tensor.Stride(2),
            tensor.ElementType);
    }

    /// <summary>The pages [P, blockTokens, D] of a cache, float32 or a 16-bit type, or those of <see
    /// cref="Int8Pages"/>: the batch dimension counts pages.</summary>
    public static HeadTensor OfPages(Tensor tensor, int headDim)
    {
        if (tensor.ElementType == ElementType.Int8)
        {
            Int8Pages.Check(tensor, headDim);
            return new HeadTensor((nint)CpuTensors.Address(tensor), tensor.Stride(0), headDim, 0, ElementType.Int8);
        }
        if (!IsReadable(tensor.ElementType) || tensor.Shape.Rank != 3 || !HasAdjacentRows(tensor))
            throw new ArgumentException(
                $"attention on the CPU needs pages [P, blockTokens, D] of Float32, Float16, BFloat16 or Int8 with "
                + $"adjacent D, got {tensor}");
        return new HeadTensor((nint)CpuTensors.Address(tensor), tensor.Stride(0), tensor.Stride(1), 0,
            tensor.ElementType);
    }

    /// <summary>The row of D floats of a token and head of a float32 tensor.</summary>
    public float* Row(nint batch, nint token, nint head) =>
        (float*)Start + batch * BatchStride + token * TokenStride + head * HeadStride;

    /// <summary>The first element of a token and head.</summary>
    public byte* Address(nint batch, nint token, nint head) =>
        (byte*)Start + (batch * BatchStride + token * TokenStride + head * HeadStride) * ElementType.SizeBytes();

    private static bool IsReadable(ElementType type) =>
        type is ElementType.Float32 or ElementType.Float16 or ElementType.BFloat16;

    private static bool HasAdjacentRows(Tensor tensor) => tensor.Shape[-1] <= 1 || tensor.Stride(-1) == 1;
}

/// <summary>A float32 tensor [B, H, N], as addresses; without memory when the tensor is not there.</summary>
/// <param name="Start">Address of the first element, 0 when there is none.</param>
/// <param name="BatchStride">Floats from one batch index to the next.</param>
/// <param name="HeadStride">Floats from one head to the next.</param>
/// <param name="TokenStride">Floats from one token to the next.</param>
internal readonly unsafe record struct RowStatistics(nint Start, nint BatchStride, nint HeadStride, nint TokenStride)
{
    public static RowStatistics Of(Tensor? tensor)
    {
        if (tensor is null)
            return default;
        if (tensor.ElementType != ElementType.Float32 || tensor.Shape.Rank != 3)
            throw new ArgumentException($"attention on the CPU needs Float32 [B, H, N], got {tensor}");
        return new RowStatistics((nint)CpuTensors.Address(tensor), tensor.Stride(0), tensor.Stride(1),
            tensor.Stride(2));
    }

    public bool Exists => Start != 0;

    /// <summary>The element of a token and head.</summary>
    public float* At(nint batch, nint head, nint token) =>
        (float*)Start + batch * BatchStride + head * HeadStride + token * TokenStride;
}

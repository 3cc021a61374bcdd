using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Attention;

/// <summary>A float32 tensor [B, N, H, D] with adjacent D, as addresses.</summary>
/// <param name="Start">Address of the first element.</param>
/// <param name="BatchStride">Floats from one batch index to the next.</param>
/// <param name="TokenStride">Floats from one token to the next.</param>
/// <param name="HeadStride">Floats from one head to the next.</param>
internal readonly unsafe record struct HeadTensor(nint Start, nint BatchStride, nint TokenStride, nint HeadStride)
{
    public static HeadTensor Of(Tensor tensor)
    {
        if (tensor.ElementType != ElementType.Float32 || tensor.Shape.Rank != 4 || (tensor.Shape[3] > 1 && tensor.Stride(3) != 1))
            throw new ArgumentException($"attention on the CPU needs Float32 [B, N, H, D] with adjacent D, got {tensor}");
        return new HeadTensor((nint)CpuTensors.Address(tensor), tensor.Stride(0), tensor.Stride(1), tensor.Stride(2));
    }

    /// <summary>The pages [P, blockTokens, D] of a cache: the batch dimension counts pages.</summary>
    public static HeadTensor OfPages(Tensor tensor)
    {
        if (tensor.ElementType != ElementType.Float32 || tensor.Shape.Rank != 3 || (tensor.Shape[2] > 1 && tensor.Stride(2) != 1))
            throw new ArgumentException($"attention on the CPU needs Float32 pages [P, blockTokens, D] with adjacent D, got {tensor}");
        return new HeadTensor((nint)CpuTensors.Address(tensor), tensor.Stride(0), tensor.Stride(1), 0);
    }

    /// <summary>The row of D floats of a token and head.</summary>
    public float* Row(nint batch, nint token, nint head) => (float*)Start + batch * BatchStride + token * TokenStride + head * HeadStride;
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
        return new RowStatistics((nint)CpuTensors.Address(tensor), tensor.Stride(0), tensor.Stride(1), tensor.Stride(2));
    }

    public bool Exists => Start != 0;

    /// <summary>The element of a token and head.</summary>
    public float* At(nint batch, nint head, nint token) => (float*)Start + batch * BatchStride + head * HeadStride + token * TokenStride;
}

using S2ILGPU.Attention;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU;

public sealed partial class IlgpuEngine
{
    private readonly DeviceAttention _attention;

    /// <summary>Whether attention on 16-bit tensors runs on tensor cores where there is a kernel for it (head dims 64,
    /// 80, 96, 112, 128, 192 and 256), and matrix products of two bf16 or two fp16 matrices.</summary>
    /// <remarks>True when the context was created with <see cref="Devices.IlgpuContexts.WithTensorCores"/> and the
    /// device is a CUDA device of compute capability 8.0 or later; or a CPU device of one multiprocessor, warps of 32
    /// and groups of 256 threads, which runs the same kernels for tests. Otherwise 16-bit attention is computed by
    /// portable kernels in single precision, and <see cref="Notes"/> say why.</remarks>
    public bool UsesTensorCores => AttentionKernels.UseTensorCores;

    /// <summary>Plans of attention built so far: a steady state builds none.</summary>
    internal int PlansBuilt => _attention.PlansBuilt;

    /// <summary>Which kernels attention uses.</summary>
    internal AttentionKernels AttentionKernels => _attention.Kernels;

    /// <summary>Has <see cref="Notes"/> say of attention that will come what its first call would say.</summary>
    internal void ExpectAttention(ElementType query, ElementType key, int headDim) =>
        AttentionKernels.Expect(query, key, headDim);

    /// <inheritdoc/>
    public bool SupportsAttention(ElementType elementType) =>
        elementType is ElementType.Float32 or ElementType.BFloat16 or ElementType.Float16;

    /// <inheritdoc/>
    public void AttentionForward(in AttentionForwardArguments arguments) => _attention.Forward(arguments);

    /// <inheritdoc/>
    public void AttentionBackward(in AttentionBackwardArguments arguments) => _attention.Backward(arguments);

    /// <inheritdoc/>
    public void MergePartitions(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> logSumExps, Tensor output,
        Tensor logSumExp) => _attention.Merge(outputs, logSumExps, output, logSumExp);

    /// <inheritdoc/>
    public void MergePartitionBackward(in MergeBackwardArguments arguments) => _attention.MergeBackward(arguments);
}

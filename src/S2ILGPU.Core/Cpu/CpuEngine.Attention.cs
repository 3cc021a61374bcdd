using S2ILGPU.Cpu.Attention;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu;

public sealed unsafe partial class CpuEngine
{
    private CpuAttention? _attention;

    private CpuAttention Attention => _attention ??= CpuAttention.Create(_simd, _pool, _blocking);

    /// <inheritdoc/>
    public bool SupportsAttention(ElementType elementType) => SupportsActivations(elementType);

    /// <inheritdoc/>
    public bool SupportsTokenWindows => true;

    /// <inheritdoc/>
    public void AttentionForward(in AttentionForwardArguments arguments) => Attention.Forward(arguments);

    /// <inheritdoc/>
    public void AttentionBackward(in AttentionBackwardArguments arguments) => Attention.Backward(arguments);

    /// <inheritdoc/>
    public void MergePartitions(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> logSumExps, Tensor output,
        Tensor logSumExp) =>
        Attention.Merge(outputs, logSumExps, output, logSumExp);

    /// <inheritdoc/>
    public void MergePartitionBackward(in MergeBackwardArguments arguments) => Attention.MergeBackward(arguments);
}

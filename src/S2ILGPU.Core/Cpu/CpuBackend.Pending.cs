using S2ILGPU.Backends;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu;

#pragma warning disable CS1591
public sealed unsafe partial class CpuBackend
{
    public void AttentionForward(in AttentionForwardArguments arguments) => throw new NotSupportedException();
    public void AttentionBackward(in AttentionBackwardArguments arguments) => throw new NotSupportedException();
    public void MergePartitions(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> logSumExps, Tensor output, Tensor logSumExp) => throw new NotSupportedException();
}

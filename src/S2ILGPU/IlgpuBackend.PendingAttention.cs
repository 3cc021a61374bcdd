#pragma warning disable CS1591
using S2ILGPU.Backends;
using S2ILGPU.Tensors;

namespace S2ILGPU;

public sealed partial class IlgpuBackend
{
    public void AttentionForward(in AttentionForwardArguments arguments) => throw Pending();
    public void AttentionBackward(in AttentionBackwardArguments arguments) => throw Pending();
    public void MergePartitions(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> logSumExps, Tensor output, Tensor logSumExp) => throw Pending();
}

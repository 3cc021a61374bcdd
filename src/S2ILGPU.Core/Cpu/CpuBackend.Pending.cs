using S2ILGPU.Backends;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu;

#pragma warning disable CS1591
public sealed unsafe partial class CpuBackend
{
    public void RmsNorm(Tensor x, Tensor weight, Tensor y, Tensor inverseRms, float epsilon) => throw new NotSupportedException();
    public void RmsNormBackward(Tensor x, Tensor weight, Tensor inverseRms, Tensor dy, GradientTarget dx, GradientTarget dweight) => throw new NotSupportedException();
    public void Rotary(Tensor x, Tensor cosine, Tensor sine, Tensor positions, GradientTarget y, bool inverse) => throw new NotSupportedException();
    public void Embedding(Tensor table, Tensor ids, Tensor y) => throw new NotSupportedException();
    public void EmbeddingBackward(Tensor ids, Tensor dy, GradientTarget dtable) => throw new NotSupportedException();
    public void SoftmaxCrossEntropy(Tensor logits, Tensor targets, Tensor losses, Tensor logSumExp) => throw new NotSupportedException();
    public void SoftmaxCrossEntropyBackward(Tensor logits, Tensor targets, Tensor logSumExp, Tensor dlosses, GradientTarget dlogits) => throw new NotSupportedException();
    public void MatMul(in MatMulArguments arguments) => throw new NotSupportedException();
    public void AttentionForward(in AttentionForwardArguments arguments) => throw new NotSupportedException();
    public void AttentionBackward(in AttentionBackwardArguments arguments) => throw new NotSupportedException();
    public void MergePartitions(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> logSumExps, Tensor output, Tensor logSumExp) => throw new NotSupportedException();
}

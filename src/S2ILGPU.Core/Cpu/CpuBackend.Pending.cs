using S2ILGPU.Backends;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu;

#pragma warning disable CS1591
public sealed unsafe partial class CpuBackend
{
    public void Add(Tensor a, Tensor b, Tensor sum) => throw new NotSupportedException();
    public void AddScaled(Tensor x, float factor, Tensor accumulator) => throw new NotSupportedException();
    public void Gelu(Tensor x, Tensor y) => throw new NotSupportedException();
    public void GeluBackward(Tensor x, Tensor dy, GradientTarget dx) => throw new NotSupportedException();
    public void SwiGlu(Tensor gate, Tensor up, Tensor y) => throw new NotSupportedException();
    public void SwiGluBackward(Tensor gate, Tensor up, Tensor dy, GradientTarget dgate, GradientTarget dup) => throw new NotSupportedException();
    public long CountNonFinite(Tensor x) => throw new NotSupportedException();
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
    public void SumOfSquares(Tensor x, Tensor result, bool accumulate) => throw new NotSupportedException();
    public void AdamW(in AdamWArguments arguments) => throw new NotSupportedException();
}

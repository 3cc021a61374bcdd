#pragma warning disable CS1591
using S2ILGPU.Backends;
using S2ILGPU.Tensors;

namespace S2ILGPU;

// Families whose kernels have files of their own replace these lines.
public sealed partial class IlgpuBackend
{
    public void Add(Tensor a, Tensor b, Tensor sum) => throw Pending();
    public void AddScaled(Tensor x, float factor, Tensor accumulator) => throw Pending();
    public void Gelu(Tensor x, Tensor y) => throw Pending();
    public void GeluBackward(Tensor x, Tensor dy, GradientTarget dx) => throw Pending();
    public void SwiGlu(Tensor gate, Tensor up, Tensor y) => throw Pending();
    public void SwiGluBackward(Tensor gate, Tensor up, Tensor dy, GradientTarget dgate, GradientTarget dup) => throw Pending();
    public void RmsNorm(Tensor x, Tensor weight, Tensor y, Tensor inverseRms, float epsilon) => throw Pending();
    public void RmsNormBackward(Tensor x, Tensor weight, Tensor inverseRms, Tensor dy, GradientTarget dx, GradientTarget dweight) => throw Pending();
    public void Rotary(Tensor x, Tensor cosine, Tensor sine, Tensor positions, GradientTarget y, bool inverse) => throw Pending();
    public void Embedding(Tensor table, Tensor ids, Tensor y) => throw Pending();
    public void EmbeddingBackward(Tensor ids, Tensor dy, GradientTarget dtable) => throw Pending();
    public void SoftmaxCrossEntropy(Tensor logits, Tensor targets, Tensor losses, Tensor logSumExp) => throw Pending();
    public void SoftmaxCrossEntropyBackward(Tensor logits, Tensor targets, Tensor logSumExp, Tensor dlosses, GradientTarget dlogits) => throw Pending();
    public void MatMul(in MatMulArguments arguments) => throw Pending();
    public void SumOfSquares(Tensor x, Tensor result, bool accumulate) => throw Pending();
    public void AdamW(in AdamWArguments arguments) => throw Pending();

    private static NotSupportedException Pending() => new("not yet on this branch");
}

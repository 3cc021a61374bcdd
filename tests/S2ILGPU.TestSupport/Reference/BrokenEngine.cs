using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.TestSupport;

/// <summary>The reference with one operation that does something wrong to one of its results: for testing that the
/// engine tests can fail.</summary>
/// <param name="operation">Name of the operation.</param>
/// <param name="spoil">What happens to the result.</param>
public class BrokenEngine(string operation, Action<Tensor> spoil) : IEngine
{
    private readonly ReferenceEngine _inner = new();

    /// <summary>The engine that does everything right.</summary>
    protected ReferenceEngine Inner => _inner;

    public string Name => $"reference with broken {operation}";
    public ElementType FloatType => _inner.FloatType;
    public bool SupportsActivations(ElementType elementType) => _inner.SupportsActivations(elementType);
    public bool SupportsAttention(ElementType elementType) => _inner.SupportsAttention(elementType);
    public long UsedBytes => _inner.UsedBytes;
    public long PeakBytes => _inner.PeakBytes;

    public void Synchronize() => _inner.Synchronize();

    /// <summary>Adds a little, in relation to its size, to the first finite element from the middle on.</summary>
    public static void Nudge(Tensor tensor)
    {
        var values = ReferenceEngine.Values(tensor);
        int at = Array.FindIndex(values, values.Length / 2, double.IsFinite);
        if (at >= 0)
            values[at] += 3e-4 * Math.Max(1, Math.Abs(values[at]));
        ReferenceEngine.SetValues(tensor, values);
    }

    /// <summary>Makes the last element NaN.</summary>
    public static void Poison(Tensor tensor)
    {
        var values = ReferenceEngine.Values(tensor);
        if (values.Length > 0)
            values[^1] = double.NaN;
        ReferenceEngine.SetValues(tensor, values);
    }

    public Tensor Allocate(Shape shape, ElementType elementType) => _inner.Allocate(shape, elementType);
    public void Upload(ReadOnlySpan<float> source, Tensor destination) => _inner.Upload(source, destination);
    public void Upload(ReadOnlySpan<int> source, Tensor destination) => _inner.Upload(source, destination);
    public void Download(Tensor source, Span<float> destination) => _inner.Download(source, destination);
    public void Download(Tensor source, Span<int> destination) => _inner.Download(source, destination);
    public long CountNonFinite(Tensor x) => _inner.CountNonFinite(x);

    public void Fill(Tensor tensor, float value) => Then(nameof(Fill), tensor, () => _inner.Fill(tensor, value));
    public void Copy(Tensor source, Tensor destination) =>
        Then(nameof(Copy), destination, () => _inner.Copy(source, destination));
    public void WritePages(Tensor source, Tensor pages, PageTable table, SequenceBatch sequences) =>
        Then(nameof(WritePages), pages, () => _inner.WritePages(source, pages, table, sequences));

    public void Add(Tensor a, Tensor b, Tensor sum) => Then(nameof(Add), sum, () => _inner.Add(a, b, sum));
    public void AddScaled(Tensor x, float factor, Tensor accumulator) =>
        Then(nameof(AddScaled), accumulator, () => _inner.AddScaled(x, factor, accumulator));
    public void Gelu(Tensor x, Tensor y) => Then(nameof(Gelu), y, () => _inner.Gelu(x, y));
    public void GeluBackward(Tensor x, Tensor dy, GradientTarget dx) =>
        Then(nameof(GeluBackward), dx.Tensor, () => _inner.GeluBackward(x, dy, dx));
    public void SwiGlu(Tensor gate, Tensor up, Tensor y) => Then(nameof(SwiGlu), y, () => _inner.SwiGlu(gate, up, y));
    public void Gegelu(Tensor gate, Tensor up, float limit, Tensor y) =>
        Then(nameof(Gegelu), y, () => _inner.Gegelu(gate, up, limit, y));
    public void GegeluBackward(Tensor gate, Tensor up, float limit, Tensor dy, GradientTarget dgate,
        GradientTarget dup) =>
        Then(nameof(GegeluBackward), dup.Tensor, () => _inner.GegeluBackward(gate, up, limit, dy, dgate, dup));
    public void SwiGluBackward(Tensor gate, Tensor up, Tensor dy, GradientTarget dgate, GradientTarget dup) =>
        Then(nameof(SwiGluBackward), dup.Tensor, () => _inner.SwiGluBackward(gate, up, dy, dgate, dup));

    public void RmsNorm(Tensor x, Tensor weight, Tensor y, Tensor inverseRms, float epsilon) =>
        Then(nameof(RmsNorm), inverseRms, () => _inner.RmsNorm(x, weight, y, inverseRms, epsilon));
    public void RmsNormBackward(Tensor x, Tensor weight, Tensor inverseRms, Tensor dy, GradientTarget dx,
        GradientTarget dweight) =>
        Then(nameof(RmsNormBackward), dx.Tensor, () => _inner.RmsNormBackward(x, weight, inverseRms, dy, dx, dweight));
    public void AddBias(Tensor bias, Tensor y) => Then(nameof(AddBias), y, () => _inner.AddBias(bias, y));
    public void SumRows(Tensor x, GradientTarget sum) =>
        Then(nameof(SumRows), sum.Tensor, () => _inner.SumRows(x, sum));
    public void Center(Tensor x, GradientTarget y) => Then(nameof(Center), y.Tensor, () => _inner.Center(x, y));
    public void Rotary(Tensor x, Tensor cosine, Tensor sine, Tensor positions, GradientTarget y, bool inverse) =>
        Then(nameof(Rotary), y.Tensor, () => _inner.Rotary(x, cosine, sine, positions, y, inverse));
    public void Embedding(Tensor table, Tensor ids, Tensor y) =>
        Then(nameof(Embedding), y, () => _inner.Embedding(table, ids, y));
    public void EmbeddingBackward(Tensor ids, Tensor dy, GradientTarget dtable) =>
        Then(nameof(EmbeddingBackward), dtable.Tensor, () => _inner.EmbeddingBackward(ids, dy, dtable));
    public void SoftmaxCrossEntropy(Tensor logits, Tensor targets, Tensor losses, Tensor logSumExp) =>
        Then(nameof(SoftmaxCrossEntropy), losses, () => _inner.SoftmaxCrossEntropy(logits, targets, losses, logSumExp));
    public void SoftmaxCrossEntropyBackward(Tensor logits, Tensor targets, Tensor logSumExp, Tensor dlosses,
        GradientTarget dlogits) =>
        Then(nameof(SoftmaxCrossEntropyBackward), dlogits.Tensor, () =>
            _inner.SoftmaxCrossEntropyBackward(logits, targets, logSumExp, dlosses, dlogits));

    public void MatMul(in MatMulArguments arguments)
    {
        var a = arguments;
        Then(nameof(MatMul), a.C, () => _inner.MatMul(a));
    }

    public void AttentionForward(in AttentionForwardArguments arguments)
    {
        var a = arguments;
        Then(nameof(AttentionForward), a.Output, () => _inner.AttentionForward(a));
    }

    public void AttentionBackward(in AttentionBackwardArguments arguments)
    {
        var a = arguments;
        Then(nameof(AttentionBackward), a.KeyGradient, () => _inner.AttentionBackward(a));
    }

    public void MergePartitions(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> logSumExps, Tensor output,
        Tensor logSumExp) =>
        Then(nameof(MergePartitions), logSumExp, () => _inner.MergePartitions(outputs, logSumExps, output, logSumExp));

    public void MergePartitionBackward(in MergeBackwardArguments arguments)
    {
        var a = arguments;
        Then(nameof(MergePartitionBackward), a.PartLogSumExpGradient, () => _inner.MergePartitionBackward(a));
    }

    public void SumOfSquares(IReadOnlyList<IReadOnlyList<Tensor>> lists, Tensor results) =>
        Then(nameof(SumOfSquares), results, () => _inner.SumOfSquares(lists, results));

    public void AdamW(in AdamWArguments arguments)
    {
        var a = arguments;
        var last = a.Parameters[^1];
        Then(nameof(AdamW), last.SecondMoment, () => _inner.AdamW(a));
        Then(nameof(last.Shadow), last.Shadow, () => { });
    }

    public void Dispose()
    {
        _inner.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Calls an operation, and spoils its result where it is the one to break.</summary>
    protected void Then(string name, Tensor? result, Action call)
    {
        call();
        if (name == operation && result is not null)
            spoil(result);
    }
}

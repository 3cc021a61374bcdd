using System.Diagnostics;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Simulation.Tracing;

/// <summary>An engine that tells which operations it is asked for. Without an engine inside it computes nothing: its
/// memory is counted and does not exist, downloads are zeros, and a model of any size runs on it.</summary>
/// <param name="inner">What computes; null for nothing. Not disposed.</param>
/// <param name="note">Told of each operation, and of its seconds, which are 0 without an engine.</param>
internal sealed class TracedEngine(IEngine? inner, Action<Operation, double> note) : IEngine
{
    private const int MostKept = 4096;

    private readonly CountedMemory _memory = new();

    /// <inheritdoc/>
    public string Name => inner?.Name ?? "no device";

    /// <inheritdoc/>
    public ElementType FloatType => inner?.FloatType ?? ElementType.Float32;

    /// <inheritdoc/>
    public bool SupportsTokenWindows => inner?.SupportsTokenWindows ?? true;

    /// <inheritdoc/>
    public long UsedBytes => inner?.UsedBytes ?? _memory.UsedBytes;

    /// <inheritdoc/>
    public long PeakBytes => inner?.PeakBytes ?? _memory.PeakBytes;

    /// <inheritdoc/>
    public bool SupportsActivations(ElementType elementType) => inner?.SupportsActivations(elementType)
        ?? elementType is ElementType.Float32 or ElementType.BFloat16;

    /// <inheritdoc/>
    public bool SupportsAttention(ElementType elementType) => inner?.SupportsAttention(elementType)
        ?? SupportsActivations(elementType);

    /// <inheritdoc/>
    public void Synchronize() => inner?.Synchronize();

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();

    /// <inheritdoc/>
    public Tensor Allocate(Shape shape, ElementType elementType) => inner?.Allocate(shape, elementType)
        ?? Tensor.Create(_memory.Rent(shape.Count * elementType.SizeBytes()), shape, elementType);

    /// <inheritdoc/>
    public void Upload(ReadOnlySpan<float> source, Tensor destination)
    {
        long start = Stopwatch.GetTimestamp();
        inner?.Upload(source, destination);
        Note(Operation.Over(nameof(Upload), destination), start);
    }

    /// <inheritdoc/>
    public void Upload(ReadOnlySpan<int> source, Tensor destination)
    {
        long start = Stopwatch.GetTimestamp();
        if (destination.Buffer is CountedBuffer counted && source.Length <= MostKept)
            counted.Values = source.ToArray();
        inner?.Upload(source, destination);
        Note(Operation.Over(nameof(Upload), destination), start);
    }

    /// <inheritdoc/>
    public void Download(Tensor source, Span<float> destination)
    {
        long start = Stopwatch.GetTimestamp();
        if (inner is null)
            destination.Clear();
        inner?.Download(source, destination);
        Note(Operation.Over(nameof(Download), source), start);
    }

    /// <inheritdoc/>
    public void Download(Tensor source, Span<int> destination)
    {
        long start = Stopwatch.GetTimestamp();
        if (source.Buffer is CountedBuffer { Values: { } values })
            values.CopyTo(destination);
        else if (inner is null)
            destination.Clear();
        inner?.Download(source, destination);
        Note(Operation.Over(nameof(Download), source), start);
    }

    /// <inheritdoc/>
    public void Fill(Tensor tensor, float value) =>
        Run(Operation.Over(nameof(Fill), tensor), engine => engine.Fill(tensor, value));

    /// <inheritdoc/>
    public void Copy(Tensor source, Tensor destination) =>
        Run(Operation.Over(nameof(Copy), source, destination), engine => engine.Copy(source, destination));

    /// <inheritdoc/>
    public void WritePages(Tensor source, Tensor pages, PageTable table, SequenceBatch sequences) =>
        Run(Operation.Over(nameof(WritePages), source, source),
            engine => engine.WritePages(source, pages, table, sequences));

    /// <inheritdoc/>
    public void Add(Tensor a, Tensor b, Tensor sum) =>
        Run(Operation.Over(nameof(Add), a, b, sum), engine => engine.Add(a, b, sum));

    /// <inheritdoc/>
    public void AddScaled(Tensor x, float factor, Tensor accumulator) =>
        Run(Operation.Over(nameof(AddScaled), x, accumulator, accumulator),
            engine => engine.AddScaled(x, factor, accumulator));

    /// <inheritdoc/>
    public void Gelu(Tensor x, Tensor y) => Run(Operation.Over(nameof(Gelu), x, y), engine => engine.Gelu(x, y));

    /// <inheritdoc/>
    public void GeluBackward(Tensor x, Tensor dy, GradientTarget dx) =>
        Run(Operation.Over(nameof(GeluBackward), x, dy, dx.Tensor), engine => engine.GeluBackward(x, dy, dx));

    /// <inheritdoc/>
    public void SwiGlu(Tensor gate, Tensor up, Tensor y) =>
        Run(Operation.Over(nameof(SwiGlu), gate, up, y), engine => engine.SwiGlu(gate, up, y));

    /// <inheritdoc/>
    public void SwiGluBackward(Tensor gate, Tensor up, Tensor dy, GradientTarget dgate, GradientTarget dup) =>
        Run(Operation.Over(nameof(SwiGluBackward), gate, up, dy, dgate.Tensor, dup.Tensor),
            engine => engine.SwiGluBackward(gate, up, dy, dgate, dup));

    /// <inheritdoc/>
    public void Gegelu(Tensor gate, Tensor up, float limit, Tensor y) =>
        Run(Operation.Over(nameof(Gegelu), gate, up, y), engine => engine.Gegelu(gate, up, limit, y));

    /// <inheritdoc/>
    public void GegeluBackward(Tensor gate, Tensor up, float limit, Tensor dy, GradientTarget dgate,
        GradientTarget dup) =>
        Run(Operation.Over(nameof(GegeluBackward), gate, up, dy, dgate.Tensor, dup.Tensor),
            engine => engine.GegeluBackward(gate, up, limit, dy, dgate, dup));

    /// <inheritdoc/>
    public long CountNonFinite(Tensor x)
    {
        long start = Stopwatch.GetTimestamp(), count = inner?.CountNonFinite(x) ?? 0;
        Note(Operation.Over(nameof(CountNonFinite), x), start);
        return count;
    }

    /// <inheritdoc/>
    public void RmsNorm(Tensor x, Tensor weight, Tensor y, Tensor inverseRms, float epsilon) =>
        Run(Operation.Over(nameof(RmsNorm), x, y), engine => engine.RmsNorm(x, weight, y, inverseRms, epsilon));

    /// <inheritdoc/>
    public void RmsNormBackward(Tensor x, Tensor weight, Tensor inverseRms, Tensor dy, GradientTarget dx,
        GradientTarget dweight) =>
        Run(Operation.Over(nameof(RmsNormBackward), x, dy, dx.Tensor),
            engine => engine.RmsNormBackward(x, weight, inverseRms, dy, dx, dweight));

    /// <inheritdoc/>
    public void AddBias(Tensor bias, Tensor y) =>
        Run(Operation.Over(nameof(AddBias), y, y), engine => engine.AddBias(bias, y));

    /// <inheritdoc/>
    public void SumRows(Tensor x, GradientTarget sum) =>
        Run(Operation.Over(nameof(SumRows), x), engine => engine.SumRows(x, sum));

    /// <inheritdoc/>
    public void Center(Tensor x, GradientTarget y) =>
        Run(Operation.Over(nameof(Center), x, y.Tensor), engine => engine.Center(x, y));

    /// <inheritdoc/>
    public void Rotary(Tensor x, Tensor cosine, Tensor sine, Tensor positions, GradientTarget y, bool inverse) =>
        Run(Operation.Over(nameof(Rotary), x, y.Tensor),
            engine => engine.Rotary(x, cosine, sine, positions, y, inverse));

    /// <inheritdoc/>
    public void Embedding(Tensor table, Tensor ids, Tensor y) =>
        Run(Operation.Over(nameof(Embedding), y, y) with { Rows = ids.Count },
            engine => engine.Embedding(table, ids, y));

    /// <inheritdoc/>
    public void EmbeddingBackward(Tensor ids, Tensor dy, GradientTarget dtable) =>
        Run(Operation.Over(nameof(EmbeddingBackward), dy, dtable.Accumulate ? dy : dtable.Tensor)
            with { Rows = ids.Count }, engine => engine.EmbeddingBackward(ids, dy, dtable));

    /// <inheritdoc/>
    public void SoftmaxCrossEntropy(Tensor logits, Tensor targets, Tensor losses, Tensor logSumExp) =>
        Run(Operation.Over(nameof(SoftmaxCrossEntropy), logits),
            engine => engine.SoftmaxCrossEntropy(logits, targets, losses, logSumExp));

    /// <inheritdoc/>
    public void SoftmaxCrossEntropyBackward(Tensor logits, Tensor targets, Tensor logSumExp, Tensor dlosses,
        GradientTarget dlogits) =>
        Run(Operation.Over(nameof(SoftmaxCrossEntropyBackward), logits, dlogits.Tensor),
            engine => engine.SoftmaxCrossEntropyBackward(logits, targets, logSumExp, dlosses, dlogits));

    /// <inheritdoc/>
    public void MatMul(in MatMulArguments arguments)
    {
        var operation = Operation.Of(arguments);
        long start = Stopwatch.GetTimestamp();
        inner?.MatMul(arguments);
        Note(operation, start);
    }

    /// <inheritdoc/>
    public void AttentionForward(in AttentionForwardArguments arguments)
    {
        var operation = Operation.Of(arguments);
        long start = Stopwatch.GetTimestamp();
        inner?.AttentionForward(arguments);
        Note(operation, start);
    }

    /// <inheritdoc/>
    public void AttentionBackward(in AttentionBackwardArguments arguments)
    {
        var operation = Operation.Of(arguments);
        long start = Stopwatch.GetTimestamp();
        inner?.AttentionBackward(arguments);
        Note(operation, start);
    }

    /// <inheritdoc/>
    public void MergePartitions(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> logSumExps, Tensor output,
        Tensor logSumExp) =>
        Run(Operation.Over(nameof(MergePartitions), [.. outputs, output]),
            engine => engine.MergePartitions(outputs, logSumExps, output, logSumExp));

    /// <inheritdoc/>
    public void MergePartitionBackward(in MergeBackwardArguments arguments)
    {
        var operation = Operation.Over(nameof(MergePartitionBackward), arguments.PartOutput, arguments.Output,
            arguments.OutputGradient, arguments.PartOutputGradient);
        long start = Stopwatch.GetTimestamp();
        inner?.MergePartitionBackward(arguments);
        Note(operation, start);
    }

    /// <inheritdoc/>
    public void SumOfSquares(IReadOnlyList<IReadOnlyList<Tensor>> lists, Tensor results) =>
        Run(Operation.Over(nameof(SumOfSquares), [.. lists.SelectMany(list => list)]),
            engine => engine.SumOfSquares(lists, results));

    /// <inheritdoc/>
    public void AdamW(in AdamWArguments arguments)
    {
        // Reads four, writes three and the shadow.
        var operation = Operation.Over(nameof(AdamW), [.. arguments.Parameters.SelectMany(p => (Tensor?[])[p.Value,
            p.Value, p.Gradient, p.FirstMoment, p.FirstMoment, p.SecondMoment, p.SecondMoment, p.Shadow])]);
        long start = Stopwatch.GetTimestamp();
        inner?.AdamW(arguments);
        Note(operation, start);
    }

    private void Run(in Operation operation, Action<IEngine> run)
    {
        long start = Stopwatch.GetTimestamp();
        if (inner is not null)
            run(inner);
        Note(operation, start);
    }

    private void Note(in Operation operation, long start)
    {
        inner?.Synchronize();
        note(operation, inner is null ? 0 : Stopwatch.GetElapsedTime(start).TotalSeconds);
    }
}

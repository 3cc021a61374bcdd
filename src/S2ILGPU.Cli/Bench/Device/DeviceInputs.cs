using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>Queries, keys and values [1, N, H, D], the output, and for the backward pass the gradients; shared by all
/// patterns of a size.</summary>
internal sealed class DeviceInputs : IDisposable
{
    private const int ChunkElements = 1 << 22;

    private readonly IEngine _engine;
    private readonly List<Tensor> _owned = [];
    private readonly Tensor _query, _key, _value, _output, _logSumExp;
    private readonly Tensor? _outputGradient, _queryGradient, _keyGradient, _valueGradient;
    private readonly VariedSequences _sequences;
    private readonly float _scale;

    public DeviceInputs(IEngine engine, AttentionShape shape, ElementType type, bool hasGradients, bool isVaried)
    {
        _engine = engine;
        Shape queries = new(1, shape.Tokens, shape.Heads, shape.HeadDim), keys = queries.With(2, shape.KeyValueHeads);
        _sequences = new VariedSequences(shape.Tokens, isVaried ? VariedSequences.Lengths : 1, tokens =>
            SequenceBatch.Padded([tokens], [tokens]));
        _scale = (float)(1 / Math.Sqrt(shape.HeadDim));
        try
        {
            (_query, _key, _value) = (Random(queries, type, 1), Random(keys, type, 2), Random(keys, type, 3));
            (_output, _logSumExp) =
                (New(queries, type), New(new Shape(1, shape.Heads, shape.Tokens), ElementType.Float32));
            if (hasGradients)
                (_outputGradient, _queryGradient, _keyGradient, _valueGradient) =
                    (Random(queries, type, 4), New(queries, type), New(keys, type), New(keys, type));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Bytes that the tensors of a size take at least.</summary>
    public static double BytesOf(AttentionShape shape, ElementType type, bool hasGradients) =>
        (double)shape.Tokens * shape.HeadDim * (shape.Heads + shape.KeyValueHeads) * 2 * type.SizeBytes()
        * (hasGradients ? 2 : 1);

    public void Forward(BlockLayout layout) =>
        _engine.AttentionForward(new AttentionForwardArguments(_query, _key, _value, _output, _logSumExp, layout,
        _sequences.Next(), _scale));

    /// <summary>Reads whatever output and log-sum-exp were computed last: the work is the same for those of another
    /// pattern.</summary>
    public void Backward(BlockLayout layout) =>
        _engine.AttentionBackward(new AttentionBackwardArguments(_query, _key, _value, _output, _logSumExp,
        _outputGradient!, null,
        _queryGradient!, _keyGradient!, _valueGradient!, layout, _sequences.Next(), _scale));

    public void Dispose() => _owned.ForEach(t => t.Dispose());

    /// <summary>Fills a contiguous tensor with random numbers; long ones repeat themselves, so that the host needs
    /// little memory.</summary>
    public static void Fill(IEngine engine, Tensor tensor, int seed)
    {
        long inner = tensor.Count / tensor.Shape[0];
        if (tensor.Shape is { Rank: 4 } shape && shape[0] == 1)
        {
            using var rows = tensor.Reshape(new Shape(shape[1], shape[2], shape[3]));
            Fill(engine, rows, seed);
            return;
        }
        int step = (int)Math.Clamp(ChunkElements / inner, 1, tensor.Shape[0]);
        var values = new float[step * inner];
        RandomTensors.Fill(values, seed);
        for (int start = 0; start < tensor.Shape[0]; start += step)
        {
            int count = Math.Min(step, tensor.Shape[0] - start);
            using var chunk = tensor.Slice(0, start, count);
            engine.Upload(values.AsSpan(0, (int)(count * inner)), chunk);
        }
    }

    private Tensor Random(Shape shape, ElementType type, int seed)
    {
        var tensor = New(shape, type);
        Fill(_engine, tensor, seed);
        return tensor;
    }

    private Tensor New(Shape shape, ElementType type)
    {
        var tensor = _engine.Allocate(shape, type);
        _owned.Add(tensor);
        return tensor;
    }
}

using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Bench;

/// <summary>Sizes of the tensors of an attention call.</summary>
/// <param name="Tokens">N.</param>
/// <param name="Heads">H.</param>
/// <param name="KeyValueHeads">Hkv.</param>
/// <param name="HeadDim">D.</param>
/// <param name="IsFused">Whether queries, keys and values are views of one tensor [1, N, H + 2 Hkv, D], as a
/// transformer layer has them.</param>
/// <param name="HasGradients">Whether there is a backward pass.</param>
internal readonly record struct AttentionSize(int Tokens, int Heads, int KeyValueHeads, int HeadDim,
    bool IsFused = false, bool HasGradients = false);

/// <summary>Queries, keys and values [1, N, H, D] and, for the backward pass, the gradient of the output and room for
/// theirs; shared by several patterns.</summary>
internal sealed class AttentionInputs : IDisposable
{
    private readonly List<Tensor> _owned = [];

    public AttentionInputs(IEngine engine, AttentionSize size)
    {
        Engine = engine;
        (Query, Key, Value) = Triple(engine, size, seed: 1);
        if (!size.HasGradients)
            return;
        OutputGradient = Own(engine.Random(4, 1, size.Tokens, size.Heads, size.HeadDim));
        (QueryGradient, KeyGradient, ValueGradient) = Triple(engine, size, seed: 5);
    }

    public IEngine Engine { get; }

    public Tensor Query { get; }

    public Tensor Key { get; }

    public Tensor Value { get; }

    public Tensor? OutputGradient { get; }

    public Tensor? QueryGradient { get; }

    public Tensor? KeyGradient { get; }

    public Tensor? ValueGradient { get; }

    public void Dispose() => _owned.ForEach(t => t.Dispose());

    private (Tensor Query, Tensor Key, Tensor Value) Triple(IEngine engine, AttentionSize size, int seed)
    {
        var (tokens, heads, keyValueHeads, headDim, _, _) = size;
        if (!size.IsFused)
            return (Own(engine.Random(seed, 1, tokens, heads, headDim)),
                Own(engine.Random(seed + 1, 1, tokens, keyValueHeads, headDim)),
                Own(engine.Random(seed + 2, 1, tokens, keyValueHeads, headDim)));
        var fused = Own(engine.Random(seed, 1, tokens, heads + 2 * keyValueHeads, headDim));
        return (Own(fused.Slice(2, 0, heads)), Own(fused.Slice(2, heads, keyValueHeads)),
            Own(fused.Slice(2, heads + keyValueHeads, keyValueHeads)));
    }

    private Tensor Own(Tensor tensor)
    {
        _owned.Add(tensor);
        return tensor;
    }
}

/// <summary>Attention of one pattern over some inputs, forward and backward, with its work counted.</summary>
internal sealed class AttentionWork : IDisposable
{
    private readonly AttentionInputs _inputs;
    private readonly BlockLayout _layout;
    private readonly SequenceBatch _sequences;
    private readonly Tensor _output, _logSumExp;
    private readonly float _scale;

    /// <param name="inputs">The inputs; stay with the caller.</param>
    /// <param name="pattern">The pattern.</param>
    /// <param name="packed">Lengths of packed sequences, N together; none for one sequence.</param>
    public AttentionWork(AttentionInputs inputs, AttentionPattern pattern, params int[] packed)
    {
        int[] lengths = packed.Length > 0 ? packed : [inputs.Query.Shape[1]];
        _inputs = inputs;
        _layout = BlockLayout.Create(pattern, lengths.Max());
        _sequences = SequenceBatch.Packed(lengths, lengths);
        int headDim = inputs.Query.Shape[3];
        _scale = (float)(1 / Math.Sqrt(headDim));
        _output = inputs.Engine.Allocate(inputs.Query.Shape, ElementType.Float32);
        _logSumExp = inputs.Engine.Allocate(new Shape(1, inputs.Query.Shape[2], inputs.Query.Shape[1]),
            ElementType.Float32);
        long blocks = lengths.Sum(n => BlockLayout.Create(pattern, n).KeptBlocks)
            * (pattern.QueryHeads / pattern.PatternHeads);
        Scores = (double)blocks * pattern.BlockTokens * pattern.BlockTokens;
        (ForwardFlops, BackwardFlops) = (4 * Scores * headDim, 10 * Scores * headDim);
    }

    /// <summary>Scores in the kept blocks of all query heads, whole blocks counted.</summary>
    public double Scores { get; }

    /// <summary>Multiplications and additions of two products per kept block.</summary>
    public double ForwardFlops { get; }

    /// <summary>Multiplications and additions of five products per kept block.</summary>
    public double BackwardFlops { get; }

    public void Forward() => _inputs.Engine.AttentionForward(
        new AttentionForwardArguments(_inputs.Query, _inputs.Key, _inputs.Value, _output, _logSumExp, _layout,
        _sequences, _scale));

    /// <summary>Needs a forward pass before it, and inputs with gradients.</summary>
    public void Backward() =>
        _inputs.Engine.AttentionBackward(new AttentionBackwardArguments(_inputs.Query, _inputs.Key, _inputs.Value,
        _output, _logSumExp,
        _inputs.OutputGradient!, null, _inputs.QueryGradient!, _inputs.KeyGradient!, _inputs.ValueGradient!, _layout,
            _sequences, _scale));

    public void Dispose()
    {
        _output.Dispose();
        _logSumExp.Dispose();
    }
}

/// <summary>The patterns of the attention figures.</summary>
internal static class BenchPatterns
{
    /// <summary>Short names, as in <c>L16 s8</c>: 16 local blocks, one remote block of every 8.</summary>
    public static readonly string[] Sparse = ["L16 s8", "L8 s16"];

    /// <summary>Dense first, then the sparse ones, over blocks of 64 tokens.</summary>
    public static (string Name, AttentionPattern Pattern)[] All(int heads) =>
    [
        ("dense", new DensePattern(heads, heads)),
        (Sparse[0], L16S8(heads, heads)),
        (Sparse[1], new LocalStridePattern(heads, heads, 64, localBlocks: 8, verticalStride: 16)),
    ];

    /// <summary>16 local blocks, one remote block of every 8, or the same span in smaller blocks.</summary>
    public static LocalStridePattern L16S8(int heads, int keyValueHeads, int blockTokens = 64) =>
        new(heads, keyValueHeads, blockTokens, localBlocks: 16 * 64 / blockTokens, verticalStride: 8);
}

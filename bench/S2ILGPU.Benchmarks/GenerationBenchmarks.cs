using BenchmarkDotNet.Attributes;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Tensors;

namespace S2ILGPU.Benchmarks;

/// <summary>Time per generated token of a transformer after a long prompt, sampling left out. A step should allocate
/// next to nothing.</summary>
public class GenerationBenchmarks : TransformerBenchmarks
{
    private const int Steps = 64;

    private TransformerDecoder _decoder = null!;
    private int[] _prompt = [], _next = [];
    private float[] _logits = [];

    /// <summary>Element type of the cached keys and values.</summary>
    [Params(ElementType.Float32, ElementType.BFloat16)]
    public ElementType Cache { get; set; }

    /// <inheritdoc/>
    protected override TransformerConfig Config => base.Config with { ContextTokens = Tokens + Steps };

    [IterationSetup]
    public void ReadPrompt()
    {
        _decoder.Clear(0);
        _decoder.Append(_prompt, _logits);
    }

    [Benchmark(OperationsPerInvoke = Steps)]
    public void OneToken()
    {
        for (int step = 0; step < Steps; step++)
            _decoder.Append(_next.AsSpan(step, 1), _logits);
    }

    /// <summary>Weights, which one token reads once; the cache comes on top.</summary>
    public override Work Of(string benchmark) => new(Bytes: (double)sizeof(float) * Config.ParameterCount);

    /// <inheritdoc/>
    protected override void Prepare()
    {
        base.Prepare();
        _decoder = Own(new TransformerDecoder(Model, new KeyValueCacheOptions { ElementType = Cache }));
        (_prompt, _next, _logits) = (RandomTokens(Tokens, seed: 1), RandomTokens(Steps, seed: 2),
            new float[Config.VocabularySize]);
    }
}

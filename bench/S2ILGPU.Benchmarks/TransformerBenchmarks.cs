using BenchmarkDotNet.Attributes;
using S2ILGPU.Models;

namespace S2ILGPU.Benchmarks;

/// <summary>Benchmarks of a whole transformer, small enough for a processor.</summary>
public abstract class TransformerBenchmarks : DeviceBenchmarks
{
    [ParamsSource(nameof(Kinds))]
    public string Attention { get; set; } = "";

    [Params(4096)]
    public int Tokens { get; set; }

    /// <summary>The kinds of attention.</summary>
    public static IEnumerable<string> Kinds => AttentionCatalog.Names;

    /// <summary>The model that <see cref="EngineBenchmarks.Prepare"/> makes.</summary>
    protected TransformerModel Model { get; private set; } = null!;

    /// <summary>Its shape; every layer has the same attention.</summary>
    protected virtual TransformerConfig Config => new()
    {
        VocabularySize = 4096,
        Dim = 256,
        Layers = 4,
        QueryHeads = 8,
        KeyValueHeads = 4,
        HeadDim = 32,
        FeedForwardDim = 704,
        ContextTokens = Tokens,
        Attention = new AttentionPlan(AttentionCatalog.Find(Attention)),
    };

    /// <inheritdoc/>
    protected override void Prepare() => Model = Own(new TransformerModel(Engine, Config));

    /// <summary>Token ids without a pattern.</summary>
    protected int[] RandomTokens(int count, ulong seed)
    {
        var random = new Models.RandomSource(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextInteger(Config.VocabularySize))];
    }
}

using BenchmarkDotNet.Attributes;
using S2ILGPU.Layouts;
using S2ILGPU.Ops;
using S2ILGPU.Tensors;

namespace S2ILGPU.Benchmarks;

/// <summary>Attention over a whole context and its gradients. Read the ratio of two kinds beside the ratio of their
/// kept blocks: that is its ceiling.</summary>
public class AttentionBenchmarks : DeviceBenchmarks
{
    private const int Heads = 8;

    private Tensor _query = null!, _key = null!, _value = null!, _outputGradient = null!;
    private AttentionResult _result = null!;
    private BlockLayout _layout = null!;

    [ParamsSource(nameof(Kinds))]
    public string Attention { get; set; } = "";

    [Params(4096, 16384)]
    public int Tokens { get; set; }

    [Params(64, 128)]
    public int HeadDim { get; set; }

    /// <summary>The kinds of attention.</summary>
    public static IEnumerable<string> Kinds => AttentionCatalog.Names;

    [Benchmark]
    public void Forward()
    {
        using var result = SparseAttention.Forward(Engine, _query, _key, _value, _layout);
        Wait();
    }

    [Benchmark]
    public void Backward()
    {
        using var gradients = SparseAttention.Backward(Engine, _query, _key, _value, _result, _outputGradient, _layout);
        Wait();
    }

    /// <inheritdoc/>
    public override Work Of(string benchmark) =>
        Work.OfAttention(CreateLayout(), HeadDim, products: benchmark == nameof(Forward) ? 2 : 5);

    /// <inheritdoc/>
    protected override void Prepare()
    {
        _layout = CreateLayout();
        _query = Normal(1, Tokens, Heads, HeadDim);
        _key = Normal(1, Tokens, Heads, HeadDim);
        _value = Normal(1, Tokens, Heads, HeadDim);
        _outputGradient = Normal(1, Tokens, Heads, HeadDim);
        _result = Own(SparseAttention.Forward(Engine, _query, _key, _value, _layout));
    }

    private BlockLayout CreateLayout() =>
        BlockLayout.Create(AttentionCatalog.Find(Attention).CreatePattern(Heads, Heads), Tokens);
}

using BenchmarkDotNet.Attributes;
using S2ILGPU.Layouts;
using S2ILGPU.Ops;
using S2ILGPU.Tensors;

namespace S2ILGPU.Benchmarks;

/// <summary>Attention of one new token over a long context: bound by reading the kept keys and values.</summary>
public class DecodeBenchmarks : DeviceBenchmarks
{
    private const int Heads = 8, HeadDim = 64;

    private Tensor _query = null!, _key = null!, _value = null!;
    private BlockLayout _layout = null!;

    [ParamsSource(nameof(Kinds))]
    public string Attention { get; set; } = "";

    [Params(4096, 32768)]
    public int Tokens { get; set; }

    /// <summary>The kinds of attention.</summary>
    public static IEnumerable<string> Kinds => AttentionCatalog.Names;

    [Benchmark]
    public void OneToken()
    {
        using var result = SparseAttention.Forward(Engine, _query, _key, _value, _layout);
        Wait();
    }

    /// <inheritdoc/>
    public override Work Of(string benchmark)
    {
        var layout = CreateLayout();
        return new Work(Bytes: 2.0 * HeadDim * sizeof(float) * layout.KeptBlocks * layout.BlockTokens);
    }

    /// <inheritdoc/>
    protected override void Prepare()
    {
        _layout = CreateLayout();
        _query = Normal(1, 1, Heads, HeadDim);
        _key = Normal(1, Tokens, Heads, HeadDim);
        _value = Normal(1, Tokens, Heads, HeadDim);
    }

    private BlockLayout CreateLayout() =>
        BlockLayout.Create(AttentionCatalog.Find(Attention).CreatePattern(Heads, Heads), Tokens, queryTokens: 1);
}

using BenchmarkDotNet.Attributes;
using S2ILGPU.Layouts;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

namespace S2ILGPU.Benchmarks;

/// <summary>The layout of 128K tokens and 32 heads beside one attention forward on it. Target: a ratio below
/// 0.02.</summary>
/// <remarks>A forward of all heads takes half a minute on a small machine. Both costs grow with the heads, so the table
/// says what one head costs: the layout is built for all heads and its time divided by them, the forward runs over one
/// head.</remarks>
public class LayoutAgainstAttentionBenchmarks : DeviceBenchmarks
{
    private const int Heads = 32, HeadDim = 64;

    private readonly LocalStridePattern _pattern =
        new(Heads, Heads, blockTokens: 64, localBlocks: 16, verticalStride: 8);
    private Tensor _query = null!, _key = null!, _value = null!;
    private BlockLayout _layoutOfOneHead = null!;

    [Params(131072)]
    public int Tokens { get; set; }

    [Benchmark(Baseline = true)]
    public void Forward()
    {
        using var result = SparseAttention.Forward(Engine, _query, _key, _value, _layoutOfOneHead);
        Wait();
    }

    [Benchmark(OperationsPerInvoke = Heads)]
    public BlockLayout Rows() => BlockLayout.Create(_pattern, Tokens);

    [Benchmark(OperationsPerInvoke = Heads)]
    public int RowsAndColumns() => BlockLayout.Create(_pattern, Tokens).Column(0, 0).Count;

    /// <inheritdoc/>
    public override Work Of(string benchmark) =>
        benchmark == nameof(Forward) ? Work.OfAttention(CreateLayoutOfOneHead(), HeadDim, products: 2) : default;

    /// <inheritdoc/>
    protected override void Prepare()
    {
        _layoutOfOneHead = CreateLayoutOfOneHead();
        _query = Normal(1, Tokens, 1, HeadDim);
        _key = Normal(1, Tokens, 1, HeadDim);
        _value = Normal(1, Tokens, 1, HeadDim);
    }

    private BlockLayout CreateLayoutOfOneHead() => BlockLayout.Create(_pattern.SliceHeads(0..1), Tokens);
}

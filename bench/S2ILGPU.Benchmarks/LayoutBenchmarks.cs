using BenchmarkDotNet.Attributes;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;

namespace S2ILGPU.Benchmarks;

/// <summary>Building layouts: O(kept blocks), on one thread.</summary>
public class LayoutBenchmarks
{
    private const int Heads = 32;

    private AttentionPattern _pattern = null!;

    [ParamsSource(nameof(Kinds))]
    public string Attention { get; set; } = "";

    [Params(32768)]
    public int Tokens { get; set; }

    /// <summary>The kinds of attention.</summary>
    public static IEnumerable<string> Kinds => AttentionCatalog.Names;

    [GlobalSetup]
    public void Setup() => _pattern = AttentionCatalog.Find(Attention).CreatePattern(Heads, Heads);

    [Benchmark(Baseline = true)]
    public BlockLayout Rows() => BlockLayout.Create(_pattern, Tokens);

    [Benchmark]
    public int RowsAndColumns() => BlockLayout.Create(_pattern, Tokens).Column(0, 0).Count;

    [Benchmark]
    public BlockLayout LastRow() => BlockLayout.Create(_pattern, Tokens, queryTokens: 1);
}

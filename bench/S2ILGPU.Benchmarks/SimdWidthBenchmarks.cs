using BenchmarkDotNet.Attributes;
using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

namespace S2ILGPU.Benchmarks;

/// <summary>The CPU engine at every register width of this machine, on one thread: what a wider register is
/// worth.</summary>
public class SimdWidthBenchmarks : EngineBenchmarks
{
    private const int Heads = 4, HeadDim = 64, Width = 512;

    private Tensor _query = null!, _key = null!, _value = null!, _input = null!, _weight = null!, _output = null!;
    private BlockLayout _layout = null!;

    [ParamsSource(nameof(Widths))]
    public SimdWidth Simd { get; set; }

    [Params(2048)]
    public int Tokens { get; set; }

    /// <summary>The widths of this machine.</summary>
    public static IEnumerable<SimdWidth> Widths => SimdWidths.Available;

    [Benchmark]
    public void MatMul() => Engine.MatMul(new MatMulArguments(_input, _weight, _output, TransposeB: true));

    [Benchmark]
    public void AttentionForward()
    {
        using var result = SparseAttention.Forward(Engine, _query, _key, _value, _layout);
    }

    /// <inheritdoc/>
    public override Work Of(string benchmark) =>
        benchmark == nameof(MatMul) ? new Work(Flops: 2.0 * Tokens * Width * Width)
        : Work.OfAttention(CreateLayout(), HeadDim, products: 2);

    /// <inheritdoc/>
    protected override IEngine CreateEngine() => new CpuEngine(new CpuOptions(Simd, Threads: 1));

    /// <inheritdoc/>
    protected override void Prepare()
    {
        _layout = CreateLayout();
        _query = Normal(1, Tokens, Heads, HeadDim);
        _key = Normal(1, Tokens, Heads, HeadDim);
        _value = Normal(1, Tokens, Heads, HeadDim);
        _input = Normal(Tokens, Width);
        _weight = Normal(Width, Width);
        _output = Normal(Tokens, Width);
    }

    private BlockLayout CreateLayout() => BlockLayout.Create(new DensePattern(Heads, Heads), Tokens);
}

using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Simd;
using S2ILGPU.Patterns;

namespace S2ILGPU.Cli.Bench;

/// <summary>The same kernels over every register width that the machine has, one thread, of the peak of that
/// width.</summary>
internal static class WidthBench
{
    private const int HeadDim = 64, Tokens = 1024;

    /// <summary>What a width is called here. Not AVX2 or SSE: where the machine has AVX-512, narrower kernels use 32
    /// registers too, which machines with nothing wider do not have.</summary>
    public static string NameOf(SimdWidth width) => width == SimdWidth.Scalar ? "scalar"
        : $"{(int)width} bits, {CpuEngine.RegisterCount(width)} registers";

    public static FigureGroup Measure(BenchMachine machine)
    {
        var figures = new List<Figure>();
        foreach (var width in SimdWidths.Available)
        {
            using var engine = machine.CreateEngine(new CpuOptions(width, Threads: 1));
            using var probe = MachineProbe.Create(engine, readBytes: 1);
            using var product = new MatMulWork(engine, new MatMulShape("", 512, 512, 512));
            using var inputs = new AttentionInputs(engine, new AttentionSize(Tokens, 1, 1, HeadDim,
                HasGradients: true));
            using var attention = new AttentionWork(inputs, new DensePattern(1, 1));
            attention.Forward();
            var seconds = Alternating.Time(machine.Settings.MatMulRounds, probe.MultiplyAdd, product.Run,
                attention.Forward, attention.Backward);
            var peak = seconds[0].Each(s => probe.MultiplyAddFlops / s);
            var timings = new Timings(seconds[1..]) { PeakOneThread = peak };
            (string Name, double Flops)[] work =
            [
                ("SGEMM 512 x 512 x 512", 2 * 512.0 * 512 * 512),
                ($"forward D{HeadDim}, {Tokens} tokens, dense", attention.ForwardFlops),
                ($"backward D{HeadDim}, {Tokens} tokens, dense", attention.BackwardFlops),
            ];
            foreach (var (index, (title, flops)) in work.Index())
                figures.Add(timings.Figure($"{NameOf(width)}: {title}", index, flops, peak, null,
                    $"of the peak of {peak.Median / 1e9:0} GFLOP/s"));
        }
        return new FigureGroup("register widths", figures);
    }
}

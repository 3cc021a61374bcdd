using System.Runtime.InteropServices;

namespace S2ILGPU.Cli.Bench;

/// <summary>OpenBLAS on the same machine, where it is installed: it is not needed and has no target.</summary>
internal static class PeerBench
{
    /// <summary>The figures; a note where it is not there.</summary>
    public static FigureGroup Measure(BenchMachine machine, List<string> notes)
    {
        var figures = new List<Figure>();
        if (!machine.Settings.HasPeers)
            return new FigureGroup("peers", figures);
        if (OpenBlas.Load() is { } blas)
            foreach (var shape in MatMulShape.Of(machine.Settings.MatMulRows))
                figures.AddRange(OverOpenBlas(machine, blas, shape));
        else
            notes.Add("OpenBLAS is not installed: no comparison of matrix products.");
        return new FigureGroup("peers", figures);
    }

    private static unsafe List<Figure> OverOpenBlas(BenchMachine machine, OpenBlas blas, MatMulShape shape)
    {
        var figures = new List<Figure>();
        long sizeA = (long)shape.M * shape.K, sizeB = (long)shape.K * shape.N, sizeC = (long)shape.M * shape.N;
        var memory = (float*)NativeMemory.AlignedAlloc((nuint)(sizeA + sizeB + sizeC) * sizeof(float), 64);
        try
        {
            RandomTensors.Fill(new Span<float>(memory, checked((int)(sizeA + sizeB + sizeC))), seed: 1);
            float* a = memory, b = memory + sizeA, c = memory + sizeA + sizeB;
            foreach (var engine in machine.All.Threads == 1 ? [machine.All]
                : (Cpu.CpuEngine[])[machine.One, machine.All])
            {
                using var work = new MatMulWork(engine, shape);
                blas.Threads = engine.Threads;
                var peak = engine == machine.All ? Yardsticks.PeakAllThreads : Yardsticks.PeakOneThread;
                var timings = machine.Time(machine.Settings.PeerRounds, peak, work.Run, () =>
                    blas.Multiply(shape, a, b, c));
                string threads = engine.Threads == 1 ? "1 thread" : $"{engine.Threads} threads";
                figures.Add(timings.RatioFigure($"{shape}, {threads}, over {blas.Name}", timings.Ratio(0, baseline: 1),
                    null, "x"));
            }
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }
        return figures;
    }
}

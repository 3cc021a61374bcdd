using System.Runtime.InteropServices;
using System.Text.Json;
using S2ILGPU.Patterns;

namespace S2ILGPU.Cli.Bench;

/// <summary>Other implementations on the same machine, where they are installed. Nothing of it is needed, and nothing
/// has a target.</summary>
internal static class PeerBench
{
    /// <summary>The figures; peers that are not there leave a note.</summary>
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
        if (MeasurePyTorch(machine, notes) is { } torch)
            figures.AddRange(torch.Seconds.Select(peer => OverPyTorch(machine, torch.Version, peer.Key, peer.Value)));
        return new FigureGroup("peers", figures);
    }

    private static PyTorchResult? MeasurePyTorch(BenchMachine machine, List<string> notes)
    {
        var settings = machine.Settings;
        (int, int)[] sizes = [.. from tokens in settings.AttentionTokens from headDim in settings.HeadDims
            select (tokens, headDim)];
        try
        {
            if (PyTorch.Measure(machine.All.Threads, settings.Heads, settings.PeerRounds.Seconds, sizes) is { } result)
                return result;
            notes.Add("PyTorch 2.0 or later is not installed: no comparison of attention.");
        }
        catch (Exception e) when (e is InvalidDataException or IOException or JsonException)
        {
            notes.Add($"PyTorch failed, no comparison of attention: {e.Message}");
        }
        return null;
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
                var timings = machine.Time(machine.Settings.PeerRounds, Yardsticks.None, work.Run, () =>
                    blas.Multiply(shape, a, b, c));
                string threads = engine.Threads == 1 ? "1 thread" : $"{engine.Threads} threads";
                figures.Add(Figure.Of($"{shape}, {threads}, over {blas.Name}", timings.Ratio(0, baseline: 1),
                    null, "x"));
            }
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }
        return figures;
    }

    // In a process of its own before ours, so drift between the two is in the ratio.
    private static Figure OverPyTorch(BenchMachine machine, string version, (int Tokens, int HeadDim) size,
        double seconds)
    {
        int heads = machine.Settings.Heads;
        using var inputs = new AttentionInputs(machine.All, new AttentionSize(size.Tokens, heads, heads, size.HeadDim));
        using var work = new AttentionWork(inputs, new DensePattern(heads, heads));
        var timings = machine.Time(machine.Settings.PeerRounds, Yardsticks.None, work.Forward);
        string name = $"dense forward D{size.HeadDim}, {size.Tokens} tokens, over PyTorch {version}";
        return Figure.Of(name, timings[0].Each(s => seconds / s), null, "x", "not in turn");
    }
}

using S2ILGPU.Cli.Training;
using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Bench;

/// <summary>A matrix product of a transformer.</summary>
/// <param name="Name">Which product.</param>
/// <param name="M">Rows of C.</param>
/// <param name="N">Columns of C.</param>
/// <param name="K">Length of the sums.</param>
/// <param name="TransposeA">Whether A is stored [K, M].</param>
/// <param name="TransposeB">Whether B is stored [N, K].</param>
internal sealed record MatMulShape(string Name, int M, int N, int K, bool TransposeA = false, bool TransposeB = false)
{
    public double Flops => 2.0 * M * N * K;

    public override string ToString() => $"SGEMM {Name}, {M} x {N} x {K}";

    /// <summary>The products of the presets' layers and, of the wider one, the gradients of the widest.</summary>
    /// <param name="rows">Tokens of a step.</param>
    public static IReadOnlyList<MatMulShape> Of(int rows)
    {
        TransformerConfig narrow = TrainingPreset.Find("base").Model, wide = TrainingPreset.Find("small").Model;
        int up = 2 * wide.FeedForwardDim;
        return
        [
            .. Layer(narrow, rows),
            new("logits", rows, narrow.VocabularySize, narrow.Dim, TransposeB: true),
            .. Layer(wide, rows),
            new("gate and up, gradient of the input", rows, wide.Dim, up),
            new("gate and up, gradient of the weight", up, wide.Dim, rows, TransposeA: true),
        ];
    }

    private static IEnumerable<MatMulShape> Layer(TransformerConfig model, int rows) =>
    [
        new("queries, keys, values", rows, (model.QueryHeads + 2 * model.KeyValueHeads) * model.HeadDim, model.Dim,
        TransposeB: true),
        new("gate and up", rows, 2 * model.FeedForwardDim, model.Dim, TransposeB: true),
        new("down", rows, model.Dim, model.FeedForwardDim, TransposeB: true),
    ];
}

/// <summary>Matrix products on one and on all threads.</summary>
internal static class MatMulBench
{
    public static FigureGroup Measure(BenchMachine machine)
    {
        var figures = new List<Figure>();
        foreach (var shape in MatMulShape.Of(machine.Settings.MatMulRows))
        {
            using MatMulWork one = new(machine.One, shape), all = new(machine.All, shape);
            var timings = machine.Time(machine.Settings.MatMulRounds,
                Yardsticks.PeakOneThread | Yardsticks.PeakAllThreads, one.Run, all.Run);
            figures.Add(timings.Figure($"{shape}, 1 thread", 0, shape.Flops, timings.PeakOneThread,
                Targets.MatMulOneThread, Figure.OfPeak));
            if (machine.All.Threads > 1)
                figures.Add(timings.Figure($"{shape}, {machine.All.Threads} threads", 1, shape.Flops,
                    timings.PeakAllThreads, Targets.MatMulAllThreads, Figure.OfPeak));
        }
        return new FigureGroup("matrix products", figures);
    }
}

/// <summary>One product with its operands.</summary>
internal sealed class MatMulWork(CpuEngine engine, MatMulShape shape) : IDisposable
{
    private readonly Tensor _a = shape.TransposeA ? engine.Random(1, shape.K, shape.M)
        : engine.Random(1, shape.M, shape.K);
    private readonly Tensor _b = shape.TransposeB ? engine.Random(2, shape.N, shape.K)
        : engine.Random(2, shape.K, shape.N);
    private readonly Tensor _c = engine.Allocate(new Shape(shape.M, shape.N), ElementType.Float32);

    public void Run() => engine.MatMul(new MatMulArguments(_a, _b, _c, shape.TransposeA, shape.TransposeB));

    public void Dispose()
    {
        _a.Dispose();
        _b.Dispose();
        _c.Dispose();
    }
}

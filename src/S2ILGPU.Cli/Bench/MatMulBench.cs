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
    // What decoding one text and a batch of them multiplies, and what an adapter of such a rank adds to a layer.
    private const int FewRows = 16, FewColumns = 16;

    /// <summary>Whether the targets hold for it: they are of products with thousands of rows and hundreds of
    /// columns.</summary>
    public bool HasTarget { get; init; } = true;

    public double Flops => 2.0 * M * N * K;

    public override string ToString() => $"SGEMM {Name}, {M} x {N} x {K}";

    /// <summary>The products of the presets' layers and head, the gradients of the widest, and, without targets,
    /// products of few rows and of few columns.</summary>
    /// <param name="rows">Tokens of a step.</param>
    public static IReadOnlyList<MatMulShape> Of(int rows)
    {
        TransformerConfig narrow = TrainingPreset.Find("base").Model, wide = TrainingPreset.Find("small").Model;
        int up = 2 * wide.FeedForwardDim;
        return
        [
            .. Layer(narrow, rows),
            new("logits", rows, narrow.VocabularySize, narrow.Dim, TransposeB: true),
            new("logits, gradient of the input", rows, narrow.Dim, narrow.VocabularySize),
            new("logits, gradient of the weight", narrow.VocabularySize, narrow.Dim, rows, TransposeA: true),
            .. Layer(wide, rows),
            new("gate and up, gradient of the input", rows, wide.Dim, up),
            new("gate and up, gradient of the weight", up, wide.Dim, rows, TransposeA: true),
            new("one row, gate and up", 1, up, wide.Dim, TransposeB: true) { HasTarget = false },
            new("few rows, gate and up", FewRows, up, wide.Dim, TransposeB: true) { HasTarget = false },
            new("few columns, into an adapter", rows, FewColumns, wide.Dim, TransposeB: true) { HasTarget = false },
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
                shape.HasTarget ? Targets.MatMulOneThread : null, Figure.OfPeak));
            if (machine.All.Threads > 1)
                figures.Add(timings.Figure($"{shape}, {machine.All.Threads} threads", 1, shape.Flops,
                    timings.PeakAllThreads, shape.HasTarget ? Targets.MatMulAllThreads : null, Figure.OfPeak));
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

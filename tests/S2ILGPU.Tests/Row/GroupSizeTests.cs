using S2ILGPU.Devices;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Tests.Row;

/// <summary>Kernels whose group owns a row, with groups as small and as large as devices make them: emulated devices
/// choose four threads, which fold nothing.</summary>
public abstract class GroupSizeTests(int threads) : EngineTest(() => Create(threads))
{
    // Around the number of threads, and around four times as many, where a thread's loop has another body.
    private readonly int[] _columns = [1, Math.Max(1, threads - 1), threads, threads + 1, 4 * threads - 1, 4 * threads,
        4 * threads + 1, 9 * threads + 5];

    [Fact]
    public void Rms_norm()
    {
        foreach (int columns in _columns)
        {
            var (x, weight) = (StridedRows("x", 2, columns, 2, 1, isWritten: false),
                Normal("weight", new Shape(columns)));
            var (y, inverseRms) = (StridedRows("y", 2, columns, 0, 3, isWritten: true),
                Output("inverse RMS", new Shape(2)));
            Check($"RMS norm of {columns} columns, {threads} threads", Forward.Relative, e =>
                e.Engine.RmsNorm(e[x], e[weight], e[y], e[inverseRms], 1e-5f));
            Release();
        }
    }

    [Fact]
    public void Rms_norm_gradient()
    {
        foreach (int columns in _columns)
        {
            var (x, dy) = (StridedRows("x", 2, columns, 1, 2, isWritten: false),
                StridedRows("dy", 2, columns, 3, 0, isWritten: false));
            var (weight, inverseRms) = (Normal("weight", new Shape(columns)),
                With("inverse RMS", new Shape(2), [1.25, 0.75]));
            var dx = StridedRows("dx", 2, columns, 2, 2, isWritten: true);
            Check($"RMS norm gradient of {columns} columns, {threads} threads", Backward.Relative,
                e => e.Engine.RmsNormBackward(e[x], e[weight], e[inverseRms], e[dy], e.Target(dx, false),
                GradientTarget.None));
            Release();
        }
    }

    [Fact]
    public void Softmax_cross_entropy()
    {
        foreach (int classes in _columns)
        {
            var logits = Normal("logits", new Shape(2, classes), 3);
            var targets = Integers("targets", new Shape(2), [classes - 1, Random.Next(classes)]);
            var (losses, logSumExp) = (Output("losses", new Shape(2)), Output("log-sum-exp", new Shape(2)));
            Check($"cross entropy of {classes} classes, {threads} threads", Forward.Relative, e =>
                e.Engine.SoftmaxCrossEntropy(e[logits], e[targets], e[losses], e[logSumExp]));
            Release();
        }
    }

    [Fact]
    public void Product_of_few_rows()
    {
        foreach (int steps in _columns)
        {
            var (a, b) = (Normal("A", new Shape(2, steps)), Normal("B", new Shape(3, steps), 1 / Math.Sqrt(steps)));
            var c = Output("C", new Shape(2, 3));
            Check($"product of {steps} steps, {threads} threads", Forward, e =>
                e.Engine.MatMul(new MatMulArguments(e[a], e[b], e[c], TransposeB: true)));
            Release();
        }
    }

    private static IlgpuEngine Create(int threads)
    {
        var engine = IlgpuDevices.CreateEngine(Emulated.Device);
        engine.Queue.ForcedRowThreads = threads;
        return engine;
    }
}

public sealed class OneThreadGroupTests() : GroupSizeTests(1);
public sealed class OneWarpGroupTests() : GroupSizeTests(32);
public sealed class FourWarpGroupTests() : GroupSizeTests(128);

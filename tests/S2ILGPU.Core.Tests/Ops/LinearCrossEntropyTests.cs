using S2ILGPU.Autograd;
using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Engines;
using S2ILGPU.Ops;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Ops;

/// <summary>The head and its loss in chunks of rows, against differences and the two ops it stands for.</summary>
public sealed class LinearCrossEntropyTests
{
    private readonly Random _random = Seeds.NewRandom();

    [Theory]
    [InlineData(1)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(257)]
    [InlineData(600)]
    public void Gradients_agree_with_differences(int rows)
    {
        Shape[] shapes = [new(rows, 4), new(5, 4)];
        double[][] inputs = [.. shapes.Select(s => _random.Normal(s.Count))];
        int[] targets = Targets(rows, 5);
        const float Seed = 0.37f;

        double Loss(double[][] at, double[][]? gradients)
        {
            using var engine = new ReferenceEngine();
            using Variable x = Parameter(engine, shapes[0], at[0]), weight = Parameter(engine, shapes[1], at[1]);
            using var tape = new Tape(engine);
            var losses = tape.LinearCrossEntropy(x, weight, tape.Upload(targets, new Shape(rows)));
            double[] values = ReferenceEngine.Values(losses.Value);
            Assert.All(Enumerable.Range(0, rows).Where(t => targets[t] < 0), t => Assert.Equal(0, values[t]));
            if (gradients is not null)
            {
                tape.Backward(losses, Seed);
                (gradients[0], gradients[1]) =
                    (ReferenceEngine.Values(x.Gradient!), ReferenceEngine.Values(weight.Gradient!));
            }
            return values.Sum() * Seed;
        }

        var analytic = new double[2][];
        Loss(inputs, analytic);
        GradientCheck.Run($"{rows} rows", at => Loss(at, null), inputs, analytic, _random);
    }

    /// <summary>Sums over the chunks are rounded in another order, and gradients once more when they are
    /// scaled.</summary>
    [Theory]
    [InlineData(ElementType.Float32, 2e-6)]
    [InlineData(ElementType.BFloat16, 1.2e-2)]
    public void Result_is_that_of_the_product_and_its_loss(ElementType type, double tolerance)
    {
        using var engine = new CpuEngine { PoisonsMemory = true };
        const int Rows = 1000, Columns = 72, Vocabulary = 203;
        float[] x = Normal(Rows * Columns, 1), w = Normal(Vocabulary * Columns, 0.2f);
        int[] targets = Targets(Rows, Vocabulary);
        var expected = Run(engine, type, x, w, targets, Vocabulary, isChunked: false);
        var actual = Run(engine, type, x, w, targets, Vocabulary, isChunked: true);
        string[] names = ["losses", "dx", "dW"];
        for (int n = 0; n < names.Length; n++)
        {
            double largest = expected[n].Max(Math.Abs);
            double worst = expected[n].Zip(actual[n], (a, b) => Math.Abs(a - b)).Max();
            Assert.True(worst <= tolerance * Math.Max(largest, n == 0 ? 1 : 0),
                $"{names[n]}: error {worst}, largest {largest}; {Seeds.Text}");
        }
        Assert.Equal(0, engine.UsedBytes);
    }

    [Fact]
    public void Bits_do_not_depend_on_the_number_of_threads()
    {
        float[] x = Normal(700 * 24, 1), w = Normal(90 * 24, 0.3f);
        int[] targets = Targets(700, 90);
        var one = Of(1);
        foreach (int threads in (int[])[2, 5])
            foreach (var (expected, actual) in one.Zip(Of(threads)))
                Assert.Equal(expected.Select(BitConverter.SingleToInt32Bits),
                    actual.Select(BitConverter.SingleToInt32Bits));

        float[][] Of(int threads)
        {
            using var engine = new CpuEngine(new CpuOptions(Threads: threads));
            return Run(engine, ElementType.Float32, x, w, targets, 90, isChunked: true);
        }
    }

    [Fact]
    public void All_logits_never_exist_together()
    {
        using var engine = new CpuEngine();
        const int Rows = 4096, Columns = 16, Vocabulary = 1000;
        float[] x = Normal(Rows * Columns, 1), w = Normal(Vocabulary * Columns, 1);
        Run(engine, ElementType.Float32, x, w, Targets(Rows, Vocabulary), Vocabulary, isChunked: true);
        const long Logits = (long)Rows * Vocabulary * sizeof(float);
        Assert.InRange(engine.PeakBytes, Logits / 16, Logits / 4); // a chunk of 256 rows, and what is kept
        Assert.Equal(256, LossHead.ChunkRows(Rows, Columns, Vocabulary));
    }

    [Fact]
    public void Chunks_have_as_many_rows_as_the_weight_has_columns()
    {
        Assert.Equal(2048, LossHead.ChunkRows(100_000, 2048, 32768));
        Assert.Equal(256, LossHead.ChunkRows(100_000, 64, 32768));
        Assert.Equal(100, LossHead.ChunkRows(100, 64, 32768));
        Assert.Equal(127, LossHead.ChunkRows(100_000, 64, 1 << 24)); // a tensor has an end
    }

    [Fact]
    public void A_segment_that_runs_twice_gives_the_same_gradients()
    {
        using var engine = new ReferenceEngine();
        double[] values = _random.Normal(300 * 4), weights = _random.Normal(5 * 4);
        int[] targets = Targets(300, 5);
        double[][] once = Gradients(false), twice = Gradients(true);
        Assert.Equal(once[0], twice[0]);
        Assert.Equal(once[1], twice[1]);

        double[][] Gradients(bool recompute)
        {
            using Variable x = Parameter(engine, new Shape(300, 4), values),
                weight = Parameter(engine, new Shape(5, 4), weights);
            using var tape = new Tape(engine, recording: true, recompute);
            var ids = tape.Upload(targets, new Shape(300));
            tape.Backward(tape.Segment(x, (weight, ids),
                static (t, input, state) => t.LinearCrossEntropy(input, state.weight, state.ids)), 0.5f);
            return [ReferenceEngine.Values(x.Gradient!), ReferenceEngine.Values(weight.Gradient!)];
        }
    }

    [Fact]
    public void Another_op_may_not_read_the_losses_of_a_backward_walk()
    {
        using var engine = new ReferenceEngine();
        using Variable x = Parameter(engine, new Shape(2, 3), _random.Normal(6)),
            weight = Parameter(engine, new Shape(4, 3), _random.Normal(12));
        using var tape = new Tape(engine);
        var losses = tape.LinearCrossEntropy(x, weight, tape.Upload([1, 2], new Shape(2)));
        var error = Assert.Throws<InvalidOperationException>(() => tape.Backward(tape.Gelu(losses)));
        Assert.Contains("must be the end of the backward walk", error.Message);
    }

    // Losses, dx and dW for a seed of 1 / rows.
    private static float[][] Run(CpuEngine engine, ElementType type, float[] x, float[] w, int[] targets,
        int vocabulary, bool isChunked)
    {
        int rows = targets.Length, columns = x.Length / rows;
        using Variable weight = Parameter(engine, new Shape(vocabulary, columns), w, ElementType.Float32),
            input = Parameter(engine, new Shape(rows, columns), x, type);
        if (type != ElementType.Float32)
        {
            weight.Shadow = engine.Allocate(weight.Shape, type);
            engine.Copy(weight.Value, weight.Shadow);
        }
        using var tape = new Tape(engine, activationType: type);
        var ids = tape.Upload(targets, new Shape(rows));
        var losses = isChunked ? tape.LinearCrossEntropy(input, weight, ids)
            : tape.SoftmaxCrossEntropy(tape.Linear(input, weight, resultType: ElementType.Float32), ids);
        tape.Backward(losses, 1f / rows);
        return [engine.ToArray(losses.Value), engine.ToArray(input.Gradient!), engine.ToArray(weight.Gradient!)];
    }

    private static Variable Parameter(ReferenceEngine engine, Shape shape, double[] values)
    {
        var tensor = engine.Allocate(shape, ElementType.Float64);
        ReferenceEngine.SetValues(tensor, values);
        return Variable.Parameter("p", tensor);
    }

    private static Variable Parameter(CpuEngine engine, Shape shape, float[] values, ElementType type)
    {
        var tensor = engine.Allocate(shape, type);
        engine.Upload(values, tensor);
        return Variable.Parameter("p", tensor);
    }

    private float[] Normal(int count, float scale) => [.. _random.Normal(count).Select(v => scale * (float)v)];

    // A fifth of the rows is ignored.
    private int[] Targets(int rows, int vocabulary) =>
        [.. Enumerable.Range(0, rows).Select(t => t % 5 == 3 ? -1 : _random.Next(vocabulary))];
}

using S2ILGPU.Autograd;
using S2ILGPU.Ops;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Autograd;

public sealed class TapeTests : IDisposable
{
    private readonly Random _random = Seeds.NewRandom();
    private readonly ReferenceEngine _engine = new();
    private readonly List<Variable> _parameters = [];

    public void Dispose()
    {
        foreach (var parameter in _parameters)
            parameter.Dispose();
        Assert.Equal(0, _engine.UsedBytes);
    }

    [Fact]
    public void Gradients_add_up_over_backward_walks_until_they_are_zeroed()
    {
        var w = Parameter(new Shape(3, 3));
        double[] once = GradientOfStep(w), twice = GradientOfStep(w);
        MaximumError.AssertWithin(new Tolerance(1e-14, true), "two walks", w.Shape,
            [.. once.Select(g => g + g)], twice);
        w.ZeroGradient();
        Assert.Null(w.Gradient);
        Assert.Equal(once, GradientOfStep(w));
    }

    [Fact]
    public void Memory_falls_during_the_walk_and_only_loss_and_parameters_remain()
    {
        var w = Parameter(new Shape(4, 4));
        using var tape = new Tape(_engine);
        long before = _engine.UsedBytes, smallest = long.MaxValue;
        var x = tape.Reshape(w, new Shape(4, 4));
        for (int i = 0; i < 10; i++)
        {
            x = tape.Gelu(x);
            var probed = x;
            if (i == 2)
                x = Probe(tape, x, () => smallest = _engine.UsedBytes);
        }
        long peak = _engine.UsedBytes;
        tape.Backward(x);
        Assert.True(smallest < peak, $"{smallest} bytes near the end of the walk, {peak} at its start");
        Assert.Equal(before + 2 * w.Value.Count * sizeof(double), _engine.UsedBytes); // the loss, and the gradient of w
        Assert.Equal(16, ReferenceEngine.Values(x.Value).Length);
        tape.Reset();
        Assert.Equal(before + w.Value.Count * sizeof(double), _engine.UsedBytes);
    }

    [Fact]
    public void A_shared_gradient_is_copied_before_somebody_adds_to_it()
    {
        var (a, b) = (Parameter(new Shape(2, 2)), Parameter(new Shape(2, 2)));
        using var tape = new Tape(_engine);
        var (left, right) = (tape.Reshape(a, new Shape(4)), tape.Reshape(b, new Shape(4)));
        // Walked backwards: the outer sum shares its gradient with left and inner; inner then adds to left, and must
        // not change what it shares with right.
        tape.Backward(tape.Add(left, tape.Add(left, right)));
        Assert.Equal([2, 2, 2, 2], ReferenceEngine.Values(a.Gradient!));
        Assert.Equal([1, 1, 1, 1], ReferenceEngine.Values(b.Gradient!));
    }

    [Fact]
    public void Recomputation_gives_the_same_bits_with_less_memory()
    {
        var parameters = Enumerable.Range(0, 6).Select(_ => Parameter(new Shape(8, 8))).ToArray();
        (double[][] Gradients, long Peak) Train(bool recompute)
        {
            foreach (var p in parameters)
                p.ReleaseGradient();
            using var tape = new Tape(_engine, recording: true, recompute);
            var x = tape.Reshape(parameters[0], new Shape(8, 8));
            long before = _engine.UsedBytes;
            foreach (var p in parameters)
                x = tape.Segment(x, p, static (t, x, p) => t.AddInto(t.Linear(t.Gelu(t.Gelu(t.Gelu(x))), p), x));
            long kept = _engine.UsedBytes - before;
            tape.Backward(x);
            return ([.. parameters.Select(p => ReferenceEngine.Values(p.Gradient!))], kept);
        }
        var (expected, all) = Train(recompute: false);
        var (actual, few) = Train(recompute: true);
        Assert.Equal(expected, actual);
        Assert.True(few * 3 < all, $"{few} bytes kept with recomputation, {all} without");
    }

    [Fact]
    public void Inference_reuses_variables_and_releases_them_by_segment()
    {
        var w = Parameter(new Shape(16, 16));
        using (var tape = new Tape(_engine, recording: false))
        {
            double[] first = Infer(tape, w, layers: 3);
            long used = _engine.UsedBytes;
            Assert.Equal(first, Infer(tape, w, layers: 3));
            Assert.Equal(used, _engine.UsedBytes);
            Infer(tape, w, layers: 20);
            Assert.Equal(used, _engine.UsedBytes);
        }
    }

    [Fact]
    public void Shapes_that_a_round_does_not_use_are_given_back()
    {
        using var tape = new Tape(_engine, recording: false);
        tape.New(new Shape(1000));
        tape.Reset();
        Assert.Equal(8000, _engine.UsedBytes);
        tape.New(new Shape(10));
        tape.Reset();
        Assert.Equal(80, _engine.UsedBytes);
    }

    [Fact]
    public void Constants_get_no_gradient()
    {
        var w = Parameter(new Shape(2, 2));
        using var data = _engine.Allocate(new Shape(2, 2), ElementType.Float64);
        _engine.Fill(data, 3);
        using var constant = Variable.Constant(data);
        using var tape = new Tape(_engine);
        tape.Backward(tape.Add(constant, w));
        Assert.Null(constant.Gradient);
        Assert.Equal([1, 1, 1, 1], ReferenceEngine.Values(w.Gradient!));
    }

    [Fact]
    public void Misuse_is_refused()
    {
        var w = Parameter(new Shape(2));
        using var inference = new Tape(_engine, recording: false);
        Assert.Throws<InvalidOperationException>(() => inference.Backward(inference.Gelu(w)));
        using var tape = new Tape(_engine);
        Assert.Throws<InvalidOperationException>(() => tape.Backward(tape.New(new Shape(1))));
        Assert.Throws<InvalidOperationException>(() => tape.Backward(w));
        Assert.Contains("[3]", Assert.Throws<ShapeException>(() => tape.Upload([1, 2], new Shape(3))).Message);
    }

    private static double[] Infer(Tape tape, Variable w, int layers)
    {
        var x = tape.Gelu(w);
        for (int i = 0; i < layers; i++)
            x = tape.Segment(x, w, static (t, x, w) => t.AddInto(t.Linear(t.Gelu(x), w), x));
        double[] values = ReferenceEngine.Values(x.Value);
        tape.Reset();
        return values;
    }

    private double[] GradientOfStep(Variable w)
    {
        using var tape = new Tape(_engine);
        tape.Backward(tape.Linear(tape.Gelu(w), w), 0.5f);
        return ReferenceEngine.Values(w.Gradient!);
    }

    private static Variable Probe(Tape tape, Variable x, Action probe)
    {
        var y = tape.Reshape(tape.Reshape(x, new Shape(16)), x.Shape);
        var z = tape.Gelu(y);
        tape.Record(z, () =>
        {
            probe();
            tape.GiveGradient(y, z.Gradient!);
        });
        return z;
    }

    private Variable Parameter(Shape shape)
    {
        var tensor = _engine.Allocate(shape, ElementType.Float64);
        ReferenceEngine.SetValues(tensor, _random.Normal(shape.Count));
        _parameters.Add(Variable.Parameter($"w{_parameters.Count}", tensor));
        return _parameters[^1];
    }
}

using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>Gradient norms and AdamW.</summary>
public abstract class OptimizerTests(Func<IEngine> create) : EngineTest(create)
{
    private static readonly int[] s_lengths = [1, 2, 7, 8, 15, 16, 17, 31, 33, 100, 1025, 20011];

    [Fact]
    public void Sum_of_squares()
    {
        foreach (int count in (int[])[0, .. s_lengths])
        {
            var (x, result) = (Normal("x", new Shape(count)), Output("result", new Shape(1)));
            Check($"sum of squares {count}", new Tolerance(1e-6, true), e =>
                e.Engine.SumOfSquares([[e[x]]], e[result]));
            Release();
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(37)]
    public void Sum_of_squares_of_many_tensors(int count)
    {
        TestTensor[] tensors = [.. Enumerable.Range(0, count).Select(n => Normal($"x{n}", new Shape(RandomLength(n))))];
        var results = Output("results", new Shape(4));
        int first = Random.Next(count + 1), second = Random.Next(first, count + 1);
        string name = $"sums of squares of {first}, {second - first}, 0 and {count - second} tensors";
        Check(name, new Tolerance(1e-6, true),
            e => e.Engine.SumOfSquares([[.. tensors[..first].Select(x => e[x])],
                [.. tensors[first..second].Select(x => e[x])], [], [.. tensors[second..].Select(x => e[x])]],
                e[results]));
    }

    [Fact]
    public void Sum_of_squares_is_accumulated_in_double_precision()
    {
        // In single precision the small squares vanish beside the first one.
        var values = new double[100_001];
        Array.Fill(values, 1e-2);
        values[0] = 1e2;
        var (x, result) = (With("x", new Shape(values.Length), values), Output("result", new Shape(1)));
        Check("sum of squares of different sizes", new Tolerance(1e-6, true), e =>
            e.Engine.SumOfSquares([[e[x]]], e[result]));
    }

    [Theory]
    [InlineData(1, 0f, 1f)]
    [InlineData(2, 0.1f, 1f)]
    [InlineData(1000, 0.01f, 0.25f)]
    [InlineData(100_000, 0.1f, 1f)]
    public void AdamW(int step, float weightDecay, float gradientScale)
    {
        foreach (int count in s_lengths)
        {
            var shape = new Shape(count);
            var (parameter, gradient, first) = (Normal("parameter", shape), Normal("gradient", shape),
                Normal("first moment", shape, step == 1 ? 0 : 1));
            var second = With("second moment", shape,
                [.. Random.Normal(count, step == 1 ? 0 : 1).Select(x => x * x + (step == 1 ? 0 : 1e-3))]);
            Check($"AdamW step {step}, {count}", Forward, e =>
                e.Engine.AdamW(new AdamWArguments([new(e[parameter], e[gradient], e[first], e[second], weightDecay)],
                LearningRate: 0.02f, Beta1: 0.9f, Beta2: 0.95f, Epsilon: 1e-8f, step, gradientScale)));
            Release();
        }
    }

    [Fact]
    public void AdamW_writes_a_shadow_of_the_parameter()
    {
        foreach (int count in s_lengths)
        {
            var shape = new Shape(count);
            var (parameter, gradient) = (Normal("parameter", shape), Normal("gradient", shape));
            var (first, second) = (Normal("first moment", shape), Constant("second moment", shape, 0.5));
            var shadow = Output("shadow", shape, ElementType.BFloat16);
            shadow.Tolerance = Tolerance.Forward(ElementType.BFloat16);
            Check($"AdamW with a shadow, {count}", Forward, e =>
            {
                e.Engine.AdamW(new AdamWArguments([new(e[parameter], e[gradient], e[first], e[second],
                    WeightDecay: 0.1f, e[shadow])], LearningRate: 0.02f, Beta1: 0.9f, Beta2: 0.95f, Epsilon: 1e-8f,
                    Step: 5, GradientScale: 1));
                var (values, rounded) = (new float[count], new float[count]);
                e.Engine.Download(e[parameter], values);
                e.Engine.Download(e[shadow], rounded);
                // A parameter of doubles is downloaded as singles: rounding those again is another number.
                if (e.Engine.FloatType == ElementType.Float32)
                    Assert.Equal(values.Select(x => (float)ElementRounding.Round(x, ElementType.BFloat16)), rounded);
            });
            Release();
        }
    }

    [Fact]
    public void AdamW_leaves_an_untouched_parameter_alone()
    {
        var shape = new Shape(37);
        var (parameter, gradient) = (Normal("parameter", shape), Constant("gradient", shape, 0));
        var (first, second) = (Constant("first moment", shape, 0), Constant("second moment", shape, 0));
        Check("AdamW with gradient 0", Forward, e =>
            e.Engine.AdamW(new AdamWArguments([new(e[parameter], e[gradient], e[first], e[second], WeightDecay: 0)],
            0.1f, 0.9f, 0.999f, 1e-8f, Step: 3, GradientScale: 1)));
    }

    [Fact]
    public void AdamW_of_many_parameters()
    {
        const int Count = 37; // more than a launch takes
        var updates = Enumerable.Range(0, Count).Select(n =>
        {
            var shape = new Shape(RandomLength(n));
            var shadow = n % 3 == 0 ? null : Output($"shadow {n}", shape, ElementType.BFloat16);
            if (shadow is not null)
                shadow.Tolerance = Tolerance.Forward(ElementType.BFloat16);
            return (Parameter: Normal($"parameter {n}", shape), Gradient: Normal($"gradient {n}", shape),
                First: Normal($"first moment {n}", shape), Second: Constant($"second moment {n}", shape, 0.5),
                Decay: n * 0.01f, Shadow: shadow);
        }).ToArray();
        Check($"AdamW on {Count} parameters", Forward, e =>
            e.Engine.AdamW(new AdamWArguments([.. updates.Select(u => new AdamWParameter(e[u.Parameter], e[u.Gradient],
            e[u.First], e[u.Second], u.Decay, u.Shadow is null ? null : e[u.Shadow]))], LearningRate: 0.02f,
            Beta1: 0.9f, Beta2: 0.95f, Epsilon: 1e-8f, Step: 4, GradientScale: 0.5f)));
    }

    // Short ones, an empty one, and one that takes several groups of threads.
    private int RandomLength(int n) => n switch { 1 => 0, 2 => 40_000 + Random.Next(1000), _ => 1 + Random.Next(300) };
}

using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>Sums, activations and their gradients over every length around the vector widths.</summary>
/// <param name="create">Creates the engine.</param>
/// <param name="activations">Element type of activations and their gradients; null for the engine's own.</param>
public abstract class ElementwiseTests(Func<IEngine> create, ElementType? activations = null)
    : EngineTest(create, activations)
{
    private static readonly double[] s_extremes = [0, -0.0, 1e-30, -1e-30, 5, -5, 12, -12, 30, -30, 90, -90, 1e4, -1e4];

    /// <summary>Every length to beyond two of the widest vectors, and a few long ones.</summary>
    private static readonly int[] s_lengths = [.. Enumerable.Range(0, 36), 63, 64, 65, 127, 128, 129, 1000, 4099];

    private static readonly (int Rows, int Columns)[] s_matrices =
        [(0, 8), (3, 0), (1, 1), (2, 7), (3, 16), (5, 33), (17, 100), (64, 257)];

    [Fact]
    public void Add() => Sweep(count =>
    {
        var (a, b, sum) = (Normal("a", new Shape(count)), Normal("b", new Shape(count)),
            Output("sum", new Shape(count)));
        Check($"add {count}", Forward, e => e.Engine.Add(e[a], e[b], e[sum]));
        Check($"add {count} in place", Forward, e => e.Engine.Add(e[a], e[b], e[a]));
    });

    [Fact]
    public void Add_scaled() => Sweep(count =>
    {
        var (x, accumulator) = (Normal("x", new Shape(count)), Normal("accumulator", new Shape(count)));
        Check($"add scaled {count}", Forward, e => e.Engine.AddScaled(e[x], -1.25f, e[accumulator]));
    });

    [Fact]
    public void Gelu() => Sweep(count =>
    {
        var (x, y) = (With("x", new Shape(count), NormalAndExtremes(count)), Output("y", new Shape(count)));
        Check($"gelu {count}", Forward.Relative, e => e.Engine.Gelu(e[x], e[y]));
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Gelu_gradient(bool accumulate) => Sweep(count =>
    {
        var (x, dy) = (With("x", new Shape(count), NormalAndExtremes(count)), Normal("dy", new Shape(count)));
        var dx = Gradient("dx", new Shape(count), accumulate);
        Check($"gelu gradient {count}", Backward, e => e.Engine.GeluBackward(e[x], e[dy], e.Target(dx, accumulate)));
    });

    [Fact]
    public void Shapes_of_any_rank_are_the_same_work()
    {
        var shape = new Shape(2, 3, 5, 7);
        var (a, b, sum) = (Normal("a", shape), Normal("b", shape), Output("sum", shape));
        Check("add rank 4", Forward, e => e.Engine.Add(e[a], e[b], e[sum]));
        Check("gelu rank 4", Forward, e => e.Engine.Gelu(e[a], e[sum]));
    }

    [Fact]
    public void Gegelu_of_halves_of_one_product() => SweepMatrices((rows, columns) =>
    {
        var product = Normal("gate and up", new Shape(rows, 2 * columns));
        var (gate, up) = (View(product, t => t.Slice(1, 0, columns)), View(product, t => t.Slice(1, columns, columns)));
        var y = StridedRows("y", rows, columns, 3, 2, isWritten: true);
        foreach (float limit in (float[])[0.7f, 20])
            Check($"gegelu halves {rows}x{columns}", Forward.Relative,
                e => e.Engine.Gegelu(e[gate], e[up], limit, e[y]));
    });

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, true)]
    public void Gegelu_gradient(bool accumulateGate, bool accumulateUp) => SweepMatrices((rows, columns) =>
    {
        var product = Normal("gate and up", new Shape(rows, 2 * columns));
        var gradients = Normal("dgate and dup", new Shape(rows, 2 * columns));
        var (gate, up) = (View(product, t => t.Slice(1, 0, columns)), View(product, t => t.Slice(1, columns, columns)));
        var (dgate, dup) = (View(gradients, t => t.Slice(1, 0, columns)),
            View(gradients, t => t.Slice(1, columns, columns)));
        var dy = StridedRows("dy", rows, columns, 1, 4, isWritten: false);
        Check($"gegelu gradient {rows}x{columns}", Backward.Relative,
            e => e.Engine.GegeluBackward(e[gate], e[up], 0.7f, e[dy], e.Target(dgate, accumulateGate),
            e.Target(dup, accumulateUp)));
        var alone = Normal("dup alone", new Shape(rows, columns));
        Check($"gegelu up gradient alone {rows}x{columns}", Backward.Relative,
            e => e.Engine.GegeluBackward(e[gate], e[up], 0.7f, e[dy], GradientTarget.None,
            e.Target(alone, accumulateUp)));
    });

    [Fact]
    public void Gegelu_hides_no_damage()
    {
        float[] damaged = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, 1];
        var shape = new Shape(2, 8);
        var gate = With("gate", shape, [.. Enumerable.Range(0, 16).Select(n => n < 8 ? damaged[n % 4] : 1)]);
        var up = With("up", shape, [.. Enumerable.Range(0, 16).Select(n => n < 8 ? 1 : damaged[n % 4])]);
        var y = Output("y", shape);
        Check("gegelu of damaged numbers", Forward with { NaNMatches = true },
            e => e.Engine.Gegelu(e[gate], e[up], 3, e[y]));
    }

    [Fact]
    public void SwiGlu_of_separate_tensors() => SweepMatrices((rows, columns) =>
    {
        var shape = new Shape(rows, columns);
        var (gate, up, y) = (With("gate", shape, NormalAndExtremes(rows * columns)), Normal("up", shape),
            Output("y", shape));
        Check($"swiglu {shape}", Forward.Relative, e => e.Engine.SwiGlu(e[gate], e[up], e[y]));
    });

    [Fact]
    public void SwiGlu_of_halves_of_one_product() => SweepMatrices((rows, columns) =>
    {
        var product = Normal("gate and up", new Shape(rows, 2 * columns));
        var (gate, up) = (View(product, t => t.Slice(1, 0, columns)), View(product, t => t.Slice(1, columns, columns)));
        var y = StridedRows("y", rows, columns, 3, 2, isWritten: true);
        Check($"swiglu halves {rows}x{columns}", Forward.Relative, e => e.Engine.SwiGlu(e[gate], e[up], e[y]));
    });

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void SwiGlu_gradient(bool accumulateGate, bool accumulateUp) => SweepMatrices((rows, columns) =>
    {
        var product = With("gate and up", new Shape(rows, 2 * columns), NormalAndExtremes(2 * rows * columns));
        var gradients = Normal("dgate and dup", new Shape(rows, 2 * columns));
        var (gate, up) = (View(product, t => t.Slice(1, 0, columns)), View(product, t => t.Slice(1, columns, columns)));
        up.Values = Random.Normal(up.Shape.Count);
        var (dgate, dup) = (View(gradients, t => t.Slice(1, 0, columns)),
            View(gradients, t => t.Slice(1, columns, columns)));
        var dy = StridedRows("dy", rows, columns, 1, 4, isWritten: false);
        Check($"swiglu gradient {rows}x{columns}", Backward.Relative,
            e => e.Engine.SwiGluBackward(e[gate], e[up], e[dy], e.Target(dgate, accumulateGate),
            e.Target(dup, accumulateUp)));
        Check($"swiglu gate gradient alone {rows}x{columns}", Backward.Relative,
            e => e.Engine.SwiGluBackward(e[gate], e[up], e[dy], e.Target(dgate, accumulateGate), GradientTarget.None));
        Check($"swiglu up gradient alone {rows}x{columns}", Backward.Relative,
            e => e.Engine.SwiGluBackward(e[gate], e[up], e[dy], GradientTarget.None, e.Target(dup, accumulateUp)));
    });

    [Fact]
    public void Count_non_finite_finds_every_one()
    {
        foreach (int columns in (int[])[1, 5, 16, 33, 200])
        {
            using var whole = Tested.Allocate(new Shape(7, columns + 3), Tested.FloatType);
            using var view = whole.Slice(1, 1, columns);
            Tested.Fill(whole, float.NaN);
            float[] values = [.. Random.Normal(view.Count).Select(x => (float)x)];
            Tested.Upload(values, view);
            Assert.Equal(0, Tested.CountNonFinite(view));
            int[] places = [0, values.Length / 2, values.Length - 1];
            float[] bad = [float.NaN, float.PositiveInfinity, float.NegativeInfinity];
            for (int n = 0; n < places.Length; n++)
                values[places[n]] = bad[n];
            Tested.Upload(values, view);
            Assert.Equal(3, Tested.CountNonFinite(view));
            values[1] = float.MaxValue;
            values[2] = float.Epsilon;
            Tested.Upload(values, view);
            Assert.Equal(3, Tested.CountNonFinite(view));
        }
    }

    private TestTensor Gradient(string name, Shape shape, bool accumulate) =>
        accumulate ? Normal(name, shape) : Output(name, shape);

    private double[] NormalAndExtremes(int count)
    {
        var values = Random.Normal(count, 2);
        for (int n = 0; n < s_extremes.Length && 2 * n < count; n++)
            values[count - 1 - 2 * n] = s_extremes[n];
        return values;
    }

    private void Sweep(Action<int> test)
    {
        foreach (int count in s_lengths)
        {
            test(count);
            Release();
        }
    }

    private void SweepMatrices(Action<int, int> test)
    {
        foreach (var (rows, columns) in s_matrices)
        {
            test(rows, columns);
            Release();
        }
    }
}

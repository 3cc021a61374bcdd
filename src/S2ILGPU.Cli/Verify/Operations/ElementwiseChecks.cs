using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Verify.Operations;

/// <summary>The elementwise family.</summary>
internal static class ElementwiseChecks
{
    // sqrt(2 / pi), and the factor of x^3
    private const double Root = 0.79788456080286535588, Cubic = 0.044715;

    private const double Sharpness = 1.702;
    private const float Limit = 1.5f;

    public static IEnumerable<OperationCheck> Of(ElementType type)
    {
        foreach (bool isInPlace in (bool[])[false, true])
            yield return new(nameof(IEngine.Add), type, isInPlace ? "in place" : "", (p, size) =>
                Add(p, Matrix(size), type, isInPlace));
        yield return new(nameof(IEngine.AddScaled), type, "", (p, size) => AddScaled(p, Matrix(size), type));
        yield return new(nameof(IEngine.Gelu), type, "", (p, size) => Gelu(p, Matrix(size), type));
        yield return new(nameof(IEngine.SwiGlu), type, "", (p, size) => SwiGlu(p, Matrix(size), type));
        yield return new(nameof(IEngine.Gegelu), type, "", (p, size) => Gegelu(p, Matrix(size), type));
        foreach (bool accumulate in (bool[])[false, true])
        {
            string form = accumulate ? "added" : "";
            yield return new(nameof(IEngine.GeluBackward), type, form, (p, size) =>
                GeluBackward(p, Matrix(size), type, accumulate));
            yield return new(nameof(IEngine.GegeluBackward), type, form, (p, size) =>
                GegeluBackward(p, Matrix(size), type, accumulate));
            yield return new(nameof(IEngine.SwiGluBackward), type, form, (p, size) =>
                SwiGluBackward(p, Matrix(size), type, accumulate));
        }
        yield return new(nameof(IEngine.CountNonFinite), type, "", (p, size) => CountNonFinite(p, Matrix(size), type));
    }

    private static Shape Matrix(Extents size) => new(size.Rows, size.Columns);

    private static Action Add(OperationProblem p, Shape shape, ElementType type, bool isInPlace)
    {
        Operand a = p.Normal(shape, type), b = p.Normal(shape, type);
        double[] exact = [.. a.Values.Zip(b.Values, (x, y) => x + y)];
        var sum = p.Result("sum", shape, type, exact, isInPlace ? a.Values : null);
        return () => p.Engine.Add(isInPlace ? sum : a.Tensor, b.Tensor, sum);
    }

    private static Action AddScaled(OperationProblem p, Shape shape, ElementType type)
    {
        const float Factor = -1.75f;
        Operand x = p.Normal(shape, type), before = p.Normal(shape, type);
        double[] exact = [.. x.Values.Zip(before.Values, (v, sum) => sum + Factor * v)];
        var accumulator = p.Result("accumulator", shape, type, exact, before.Values);
        return () => p.Engine.AddScaled(x.Tensor, Factor, accumulator);
    }

    private static Action Gelu(OperationProblem p, Shape shape, ElementType type)
    {
        var x = p.Normal(shape, type, 2);
        var y = p.Result("y", shape, type, [.. x.Values.Select(v => v / 2 * (1 + Math.Tanh(Inner(v))))]);
        return () => p.Engine.Gelu(x.Tensor, y);
    }

    private static Action GeluBackward(OperationProblem p, Shape shape, ElementType type, bool accumulate)
    {
        Operand x = p.Normal(shape, type, 2), dy = p.Normal(shape, type);
        double[] exact = [.. x.Values.Zip(dy.Values, (v, g) =>
        {
            double t = Math.Tanh(Inner(v));
            return g * ((1 + t) / 2 + v / 2 * (1 - t * t) * Root * (1 + 3 * Cubic * v * v));
        })];
        var dx = p.Gradient("dx", shape, type, exact, accumulate);
        return () => p.Engine.GeluBackward(x.Tensor, dy.Tensor, dx);
    }

    private static Action SwiGlu(OperationProblem p, Shape shape, ElementType type)
    {
        p.HasWideRows = true;
        Operand gate = p.Normal(shape, type, 2), up = p.Normal(shape, type);
        var y = p.Result("y", shape, type, [.. gate.Values.Zip(up.Values, (g, u) => g * Sigmoid(g) * u)]);
        return () => p.Engine.SwiGlu(gate.Tensor, up.Tensor, y);
    }

    private static Action SwiGluBackward(OperationProblem p, Shape shape, ElementType type, bool accumulate)
    {
        p.HasWideRows = true;
        Operand gate = p.Normal(shape, type, 2), up = p.Normal(shape, type), dy = p.Normal(shape, type);
        var (exactGate, exactUp) = (new double[shape.Count], new double[shape.Count]);
        for (int n = 0; n < exactUp.Length; n++)
        {
            double g = gate.Values[n], s = Sigmoid(g);
            exactGate[n] = dy.Values[n] * up.Values[n] * (s + g * s * (1 - s));
            exactUp[n] = dy.Values[n] * g * s;
        }
        GradientTarget dgate = p.Gradient("dgate", shape, type, exactGate, accumulate),
            dup = p.Gradient("dup", shape, type, exactUp, accumulate);
        return () => p.Engine.SwiGluBackward(gate.Tensor, up.Tensor, dy.Tensor, dgate, dup);
    }

    private static Action Gegelu(OperationProblem p, Shape shape, ElementType type)
    {
        p.HasWideRows = true;
        Operand gate = p.Normal(shape, type, 2), up = p.Normal(shape, type, 2);
        var y = p.Result("y", shape, type, [.. gate.Values.Zip(up.Values, (given, u) =>
        {
            double g = Math.Min(given, Limit);
            return g * Sigmoid(Sharpness * g) * (Math.Clamp(u, -Limit, Limit) + 1);
        })]);
        return () => p.Engine.Gegelu(gate.Tensor, up.Tensor, Limit, y);
    }

    private static Action GegeluBackward(OperationProblem p, Shape shape, ElementType type, bool accumulate)
    {
        p.HasWideRows = true;
        Operand gate = p.Normal(shape, type, 2), up = p.Normal(shape, type, 2), dy = p.Normal(shape, type);
        var (exactGate, exactUp) = (new double[shape.Count], new double[shape.Count]);
        for (int n = 0; n < exactUp.Length; n++)
        {
            double g = Math.Min(gate.Values[n], Limit), u = Math.Clamp(up.Values[n], -Limit, Limit),
                s = Sigmoid(Sharpness * g);
            exactGate[n] = gate.Values[n] > Limit ? 0
                : dy.Values[n] * (u + 1) * (s + Sharpness * g * s * (1 - s));
            exactUp[n] = Math.Abs(up.Values[n]) > Limit ? 0 : dy.Values[n] * g * s;
        }
        GradientTarget dgate = p.Gradient("dgate", shape, type, exactGate, accumulate),
            dup = p.Gradient("dup", shape, type, exactUp, accumulate);
        return () => p.Engine.GegeluBackward(gate.Tensor, up.Tensor, Limit, dy.Tensor, dgate, dup);
    }

    private static Action CountNonFinite(OperationProblem p, Shape shape, ElementType type)
    {
        p.HasWideRows = true;
        ReadOnlySpan<float> kinds = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, 1];
        var host = HostTensor.Normal(p.Random, shape, type);
        for (int n = 0; n < host.Values.Length; n += 3)
            host.Values[n] = kinds[n % kinds.Length];
        var x = p.Given(host);
        var count = p.Result("count", new Shape(1), p.Engine.FloatType,
            [host.Values.Count(v => !float.IsFinite(v))]);
        return () => p.Engine.Fill(count, p.Engine.CountNonFinite(x.Tensor));
    }

    private static double Inner(double x) => Root * (x + Cubic * x * x * x);

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}

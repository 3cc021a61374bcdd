using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Verify.Operations;

/// <summary>Norms, biases and rotary positions.</summary>
internal static class RowChecks
{
    private const float Epsilon = 1e-5f;

    public static IEnumerable<OperationCheck> Of(ElementType type, ElementType floatType)
    {
        yield return new(nameof(IEngine.RmsNorm), type, "", (p, size) => RmsNorm(p, size, type, floatType));
        yield return new(nameof(IEngine.AddBias), type, "", (p, size) => AddBias(p, size, type, floatType));
        foreach (bool accumulate in (bool[])[false, true])
        {
            string form = accumulate ? "added" : "";
            yield return new(nameof(IEngine.SumRows), type, form, (p, size) =>
                SumRows(p, size, type, floatType, accumulate));
            yield return new(nameof(IEngine.Center), type, form, (p, size) => Center(p, size, type, accumulate));
            yield return new(nameof(IEngine.RmsNormBackward), type, form, (p, size) =>
                RmsNormBackward(p, size, type, floatType, accumulate));
            foreach (bool inverse in (bool[])[false, true])
                yield return new(nameof(IEngine.Rotary), type, inverse ? $"inverse {form}".TrimEnd() : form,
                    (p, size) => Rotary(p, size, type, floatType, inverse, accumulate));
        }
    }

    private static Action RmsNorm(OperationProblem p, Extents size, ElementType type, ElementType floatType)
    {
        p.HasWideRows = true;
        Operand x = p.Normal(new Shape(size.Rows, size.Columns), type),
            w = p.Normal(new Shape(size.Columns), floatType);
        double[] inverse = InverseRms(x, size);
        double[] exact = [.. x.Values.Select((v, n) => v * inverse[n / size.Columns] * w.Values[n % size.Columns])];
        Tensor y = p.Result("y", x.Tensor.Shape, type, exact),
            inverseRms = p.Result("inverse RMS", new Shape(size.Rows), floatType, inverse);
        return () => p.Engine.RmsNorm(x.Tensor, w.Tensor, y, inverseRms, Epsilon);
    }

    private static Action RmsNormBackward(OperationProblem p, Extents size, ElementType type, ElementType floatType,
        bool accumulate)
    {
        p.HasWideRows = true;
        int columns = size.Columns;
        var shape = new Shape(size.Rows, columns);
        Operand x = p.Normal(shape, type), w = p.Normal(new Shape(columns), floatType), dy = p.Normal(shape, type),
            inverse = p.Given(HostTensor.Rounded(new Shape(size.Rows), floatType, InverseRms(x, size)));
        var (dx, dw) = (new double[shape.Count], new double[columns]);
        for (int i = 0; i < size.Rows; i++)
        {
            double r = inverse.Values[i], mean = 0;
            for (int c = 0; c < columns; c++)
                mean += dy.Values[i * columns + c] * w.Values[c] * x.Values[i * columns + c] / columns;
            for (int c = 0; c < columns; c++)
            {
                int n = i * columns + c;
                dx[n] = r * (w.Values[c] * dy.Values[n] - x.Values[n] * r * r * mean);
                dw[c] += dy.Values[n] * x.Values[n] * r;
            }
        }
        GradientTarget toX = p.Gradient("dx", shape, type, dx, accumulate),
            toWeight = p.Gradient("dw", new Shape(columns), floatType, dw, accumulate);
        return () => p.Engine.RmsNormBackward(x.Tensor, w.Tensor, inverse.Tensor, dy.Tensor, toX, toWeight);
    }

    private static Action AddBias(OperationProblem p, Extents size, ElementType type, ElementType floatType)
    {
        var shape = new Shape(size.Rows, size.Columns);
        Operand bias = p.Normal(new Shape(size.Columns), floatType), before = p.Normal(shape, type);
        double[] exact = [.. before.Values.Select((v, n) => v + bias.Values[n % size.Columns])];
        var y = p.Result("y", shape, type, exact, before.Values);
        return () => p.Engine.AddBias(bias.Tensor, y);
    }

    private static Action SumRows(OperationProblem p, Extents size, ElementType type, ElementType floatType,
        bool accumulate)
    {
        p.HasWideRows = true;
        var x = p.Normal(new Shape(size.Rows, size.Columns), type);
        var exact = new double[size.Columns];
        for (int n = 0; n < x.Values.Length; n++)
            exact[n % size.Columns] += x.Values[n];
        var sum = p.Gradient("sum", new Shape(size.Columns), floatType, exact, accumulate);
        return () => p.Engine.SumRows(x.Tensor, sum);
    }

    private static Action Center(OperationProblem p, Extents size, ElementType type, bool accumulate)
    {
        p.HasWideRows = true;
        var shape = new Shape(size.Rows, size.Columns);
        var x = p.Normal(shape, type);
        double[] exact = [.. x.Values.Chunk(size.Columns).SelectMany(row =>
        {
            double mean = row.Average();
            return row.Select(v => v - mean);
        })];
        var y = p.Gradient("y", shape, type, exact, accumulate);
        return () => p.Engine.Center(x.Tensor, y);
    }

    private static double[] InverseRms(Operand x, Extents size) => [.. x.Values.Chunk(size.Columns)
        .Select(row => 1 / Math.Sqrt(row.Sum(v => v * v) / size.Columns + Epsilon))];

    // [1, rows, 2 heads, D], with D = 2 ceil(columns / 2)
    private static Action Rotary(OperationProblem p, Extents size, ElementType type, ElementType floatType,
        bool inverse, bool accumulate)
    {
        const int Heads = 2;
        int half = (size.Columns + 1) / 2, positions = size.Inner;
        var shape = new Shape(1, size.Rows, Heads, 2 * half);
        Operand x = p.Normal(shape, type), cosine = p.Normal(new Shape(positions, half), floatType),
            sine = p.Normal(new Shape(positions, half), floatType);
        int[] at = [.. Enumerable.Range(0, size.Rows).Select(_ => p.Random.Next(positions))];
        var exact = new double[shape.Count];
        for (int row = 0; row < size.Rows * Heads; row++)
            for (int c = 0; c < half; c++)
            {
                int first = row * 2 * half + c, second = first + half, angle = at[row / Heads] * half + c;
                double cos = cosine.Values[angle], sin = inverse ? -sine.Values[angle] : sine.Values[angle];
                exact[first] = x.Values[first] * cos - x.Values[second] * sin;
                exact[second] = x.Values[second] * cos + x.Values[first] * sin;
            }
        var y = p.Gradient("y", shape, type, exact, accumulate);
        var ids = p.Integers(at, new Shape(1, size.Rows));
        return () => p.Engine.Rotary(x.Tensor, cosine.Tensor, sine.Tensor, ids, y, inverse);
    }
}

using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>Row-wise operations and their gradients: RMS norm, biases, means, rotary positions, embedding,
/// softmax cross entropy.</summary>
/// <param name="create">Creates the engine.</param>
/// <param name="activations">Element type of activations and their gradients; null for the engine's own.</param>
public abstract class RowTests(Func<IEngine> create, ElementType? activations = null)
    : EngineTest(create, activations)
{
    private static readonly (int Rows, int Columns)[] s_matrices =
        [(0, 8), (1, 1), (2, 7), (3, 16), (5, 33), (33, 100), (7, 513)];

    public static TheoryData<bool, bool> Accumulations =>
        new((false, false), (true, false), (false, true), (true, true));

    [Theory]
    [InlineData(1.0, 1e-5f)]
    [InlineData(1e-4, 1e-6f)]
    [InlineData(1e4, 1e-5f)]
    public void Rms_norm(double scale, float epsilon)
    {
        foreach (var (rows, columns) in s_matrices)
        {
            var (x, weight) = (StridedRows("x", rows, columns, 2, 1, isWritten: false),
                Normal("weight", new Shape(columns), type: FloatType));
            x.Values = Random.Normal(x.Shape.Count, scale);
            var (y, inverseRms) = (StridedRows("y", rows, columns, 0, 3, isWritten: true),
                Output("inverse RMS", new Shape(rows), FloatType));
            Check($"RMS norm {rows}x{columns}, scale {scale}", Forward.Relative, e =>
                e.Engine.RmsNorm(e[x], e[weight], e[y], e[inverseRms], epsilon));
            Release();
        }
    }

    [Fact]
    public void Rms_norm_of_zeros_is_zero()
    {
        var (x, weight) = (Constant("x", new Shape(3, 20), 0), Normal("weight", new Shape(20), type: FloatType));
        var (y, inverseRms) = (Output("y", new Shape(3, 20)), Output("inverse RMS", new Shape(3), FloatType));
        Check("RMS norm of zeros", Forward.Relative, e =>
            e.Engine.RmsNorm(e[x], e[weight], e[y], e[inverseRms], 1e-5f));
    }

    [Theory]
    [MemberData(nameof(Accumulations))]
    public void Rms_norm_gradient(bool accumulateX, bool accumulateWeight)
    {
        foreach (var (rows, columns) in s_matrices)
        {
            var (x, dy) = (StridedRows("x", rows, columns, 1, 2, isWritten: false),
                StridedRows("dy", rows, columns, 3, 0, isWritten: false));
            var (weight, inverseRms) = (Normal("weight", new Shape(columns), type: FloatType),
                With("inverse RMS", new Shape(rows), InverseRms(x, 1e-5), FloatType));
            var (dx, dweight) = (StridedRows("dx", rows, columns, 2, 2, isWritten: true),
                Normal("dweight", new Shape(columns), type: FloatType));
            Check($"RMS norm gradient {rows}x{columns}", Backward.Relative,
                e => e.Engine.RmsNormBackward(e[x], e[weight], e[inverseRms], e[dy], e.Target(dx, accumulateX),
                e.Target(dweight, accumulateWeight)));
            Check($"RMS norm gradient of x alone {rows}x{columns}", Backward.Relative,
                e => e.Engine.RmsNormBackward(e[x], e[weight], e[inverseRms], e[dy], e.Target(dx, accumulateX),
                GradientTarget.None));
            Check($"RMS norm gradient of the weight alone {rows}x{columns}", Backward.Relative,
                e => e.Engine.RmsNormBackward(e[x], e[weight], e[inverseRms], e[dy], GradientTarget.None,
                e.Target(dweight, accumulateWeight)));
            Release();
        }
    }

    [Fact]
    public void Bias_of_rows()
    {
        foreach (var (rows, columns) in s_matrices)
        {
            var (bias, y) = (Normal("bias", new Shape(columns), type: FloatType),
                StridedRows("y", rows, columns, 1, 2, isWritten: true));
            Check($"bias {rows}x{columns}", Forward, e => e.Engine.AddBias(e[bias], e[y]));
            Release();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Sum_of_rows(bool accumulate)
    {
        foreach (var (rows, columns) in ((int, int)[])[.. s_matrices, (500, 20)])
        {
            var (x, sum) = (StridedRows("x", rows, columns, 1, 2, isWritten: false),
                Normal("sum", new Shape(columns), type: FloatType));
            Check($"sum of {rows} rows of {columns}", Backward.Relative, e =>
                e.Engine.SumRows(e[x], e.Target(sum, accumulate)));
            Check($"no sum of {rows} rows of {columns}", Tolerance.Exact, e =>
                e.Engine.SumRows(e[x], GradientTarget.None));
            Release();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Centre_of_rows(bool accumulate)
    {
        foreach (var (rows, columns) in s_matrices)
        {
            var (x, y) = (StridedRows("x", rows, columns, 2, 1, isWritten: true),
                StridedRows("y", rows, columns, 1, 2, isWritten: true));
            Check($"centred {rows}x{columns}", Forward, e => e.Engine.Center(e[x], e.Target(y, accumulate)));
            if (!accumulate)
                Check($"centred in place {rows}x{columns}", Forward, e => e.Engine.Center(e[x], e.Target(x, false)));
            Release();
        }
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Rotary(bool inverse, bool accumulate)
    {
        foreach (int headDim in (int[])[2, 6, 8, 16, 24, 40, 64, 72, 80, 128])
        {
            const int batch = 2, tokens = 5, heads = 3, maxPositions = 50;
            var (cosine, sine) = Angles(maxPositions, headDim);
            int[] at = [.. Enumerable.Range(0, batch * tokens).Select(_ => Random.Next(maxPositions))];
            var positions = Integers("positions", new Shape(batch, tokens), at);
            var packed = Normal("packed", new Shape(batch, tokens, heads + 2, headDim));
            var headMajor = Normal("head-major", new Shape(batch, heads, tokens, headDim));
            var (x, y) = (View(packed, t => t.Slice(2, 1, heads)), View(headMajor, t => t.Permute(0, 2, 1, 3)));
            Check($"rotary D {headDim}", Forward, e =>
                e.Engine.Rotary(e[x], e[cosine], e[sine], e[positions], e.Target(y, accumulate), inverse));
            if (!accumulate)
                Check($"rotary D {headDim} in place", Forward, e =>
                    e.Engine.Rotary(e[x], e[cosine], e[sine], e[positions], e.Target(x, false), inverse));
            Release();
        }
    }

    [Fact]
    public void Embedding()
    {
        foreach (int columns in (int[])[1, 7, 16, 100, 257])
            foreach (var type in ((ElementType[])[FloatType, Activations]).Distinct())
            {
                var (table, ids) = (StridedRows("table", 11, columns, 1, 1, isWritten: false, type), Ids(30, 11));
                var y = StridedRows("y", 30, columns, 2, 0, isWritten: true);
                Check($"embedding of {columns} {type} columns", Tolerance.Exact, e =>
                    e.Engine.Embedding(e[table], e[ids], e[y]));
                Release();
            }
    }

    [Theory]
    [InlineData(ElementType.BFloat16)]
    [InlineData(ElementType.Float16)]
    public void Embedding_of_short_rows_widens_them(ElementType type)
    {
        foreach (int columns in (int[])[1, 7, 16, 100, 257])
        {
            var (whole, ids) = (Normal("table", new Shape(11, columns + 2), type: type), Ids(30, 11));
            var (table, y) = (View(whole, t => t.Slice(1, 1, columns)),
                StridedRows("y", 30, columns, 2, 0, isWritten: true));
            Check($"embedding of {columns} {type} columns", Tolerance.Exact, e =>
                e.Engine.Embedding(e[table], e[ids], e[y]));
            Release();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Embedding_gradient_adds_repeated_ids(bool accumulate)
    {
        foreach (int columns in (int[])[1, 7, 16, 100])
        {
            var (ids, dy) = (Ids(60, 11), StridedRows("dy", 60, columns, 2, 1, isWritten: false));
            var dtable = StridedRows("dtable", 13, columns, 1, 1, isWritten: true, FloatType);
            Check($"embedding gradient of {columns} columns", Backward, e =>
                e.Engine.EmbeddingBackward(e[ids], e[dy], e.Target(dtable, accumulate)));
            Release();
        }
    }

    [Theory]
    [InlineData(1.0)]
    [InlineData(1e-3)]
    [InlineData(50.0)]
    [InlineData(3e3)]
    public void Softmax_cross_entropy(double scale)
    {
        foreach (int classes in (int[])[1, 2, 7, 16, 50, 257, 1003])
        {
            var (logits, targets) = (Logits(9, classes, scale), Targets(9, classes, withIgnored: false));
            var (losses, logSumExp) = (Output("losses", new Shape(9), FloatType),
            Output("log-sum-exp", new Shape(9), FloatType));
            Check($"cross entropy of {classes} classes, scale {scale}", Forward.Relative.Times(Math.Max(1, scale / 10)),
                e => e.Engine.SoftmaxCrossEntropy(e[logits], e[targets], e[losses], e[logSumExp]));
            Release();
        }
    }

    [Fact]
    public void Ignored_targets_cost_nothing()
    {
        var (logits, targets) = (Logits(9, 33, 1), Targets(9, 33, withIgnored: true));
        var (losses, logSumExp) = (Output("losses", new Shape(9), FloatType),
            Output("log-sum-exp", new Shape(9), FloatType));
        logSumExp.Tolerance = new Tolerance(1e30); // of an ignored row: any finite number
        Check("cross entropy with ignored targets", Forward, e =>
            e.Engine.SoftmaxCrossEntropy(e[logits], e[targets], e[losses], e[logSumExp]));
    }

    [Theory]
    [InlineData(1.0, false)]
    [InlineData(1.0, true)]
    [InlineData(50.0, false)]
    public void Softmax_cross_entropy_gradient(double scale, bool accumulate)
    {
        foreach (int classes in (int[])[1, 2, 7, 16, 50, 257])
        {
            var (logits, targets) = (Logits(9, classes, scale), Targets(9, classes, withIgnored: true));
            var (logSumExp, dlosses) = (With("log-sum-exp", new Shape(9), LogSumExp(logits), FloatType),
                Normal("dlosses", new Shape(9), type: FloatType));
            var dlogits = StridedRows("dlogits", 9, classes, 1, 2, isWritten: true, FloatType);
            Check($"cross entropy gradient of {classes} classes, scale {scale}", Backward,
                e => e.Engine.SoftmaxCrossEntropyBackward(e[logits], e[targets], e[logSumExp], e[dlosses],
                e.Target(dlogits, accumulate)));
            if (!accumulate)
                Check($"cross entropy gradient of {classes} classes over the logits, scale {scale}", Backward,
                    e => e.Engine.SoftmaxCrossEntropyBackward(e[logits], e[targets], e[logSumExp], e[dlosses],
                    e.Target(logits, false)));
            Release();
        }
    }

    private TestTensor Ids(int count, int end) =>
        Integers("ids", new Shape(count), (int[])[.. Enumerable.Range(0, count).Select(_ => Random.Next(end))]);

    private TestTensor Logits(int rows, int classes, double scale)
    {
        var whole = Normal("logits", new Shape(rows, classes + 3), type: FloatType);
        var view = View(whole, t => t.Slice(1, 1, classes));
        view.Values = Random.Normal(view.Shape.Count, scale);
        return view;
    }

    private TestTensor Targets(int rows, int classes, bool withIgnored)
    {
        int Target(int t) => withIgnored && t % 3 == 1 ? -1 : t == 0 ? classes - 1 : Random.Next(classes);
        return Integers("targets", new Shape(rows), (int[])[.. Enumerable.Range(0, rows).Select(Target)]);
    }

    private (TestTensor Cosine, TestTensor Sine) Angles(int positions, int headDim)
    {
        int half = headDim / 2;
        double Angle(int n) => n / half * Math.Pow(10000, -(double)(n % half) / half);
        var shape = new Shape(positions, half);
        int[] all = [.. Enumerable.Range(0, positions * half)];
        return (With("cosine", shape, [.. all.Select(n => Math.Cos(Angle(n)))], FloatType),
            With("sine", shape, [.. all.Select(n => Math.Sin(Angle(n)))], FloatType));
    }

    private static double[] InverseRms(TestTensor x, double epsilon) =>
        [.. Rows(x).Select(row => 1 / Math.Sqrt(row.Sum(value => value * value) / row.Length + epsilon))];

    private static double[] LogSumExp(TestTensor logits) => [.. Rows(logits).Select(row =>
        row.Max() + Math.Log(row.Sum(value => Math.Exp(value - row.Max()))))];

    private static IEnumerable<double[]> Rows(TestTensor x) => x.Values.Chunk(Math.Max(1, x.Shape[1]));
}

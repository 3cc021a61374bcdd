using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Reference;

/// <summary>Every gradient of the contract against central differences of the forward formula, in double
/// precision.</summary>
public sealed class ReferenceGradientTests : IDisposable
{
    private readonly ReferenceEngine _engine = new();
    private readonly Random _random = Seeds.NewRandom();

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void Gelu() => Check("gelu", [new(50)], new(50),
        (x, y) => _engine.Gelu(x[0], y), (x, y, dy, dx) => _engine.GeluBackward(x[0], dy, dx[0]));

    [Fact]
    public void SwiGlu() => Check("swiglu", [new(5, 7), new(5, 7)], new(5, 7),
        (x, y) => _engine.SwiGlu(x[0], x[1], y), (x, y, dy, dx) =>
        _engine.SwiGluBackward(x[0], x[1], dy, dx[0], dx[1]));

    [Fact]
    public void Gegelu() => Check("gegelu", [new(5, 7), new(5, 7)], new(5, 7),
        (x, y) => _engine.Gegelu(x[0], x[1], 0.9f, y), (x, y, dy, dx) =>
        _engine.GegeluBackward(x[0], x[1], 0.9f, dy, dx[0], dx[1]));

    [Fact]
    public void Rms_norm()
    {
        var inverseRms = New(new Shape(5));
        Check("RMS norm", [new(5, 7), new(7)], new(5, 7),
            (x, y) => _engine.RmsNorm(x[0], x[1], y, inverseRms, 1e-2f), (x, y, dy, dx) =>
            _engine.RmsNormBackward(x[0], x[1], inverseRms, dy, dx[0], dx[1]));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Rotary(bool inverse)
    {
        var (cosine, sine, positions) = (New(new Shape(20, 3)), New(new Shape(20, 3)),
            _engine.Allocate(new Shape(2, 4), ElementType.Int32));
        double[] angles = _random.Normal(60);
        ReferenceEngine.SetValues(cosine, [.. angles.Select(Math.Cos)]);
        ReferenceEngine.SetValues(sine, [.. angles.Select(Math.Sin)]);
        _engine.Upload([0, 1, 2, 3, 19, 5, 5, 7], positions);
        Check("rotary", [new(2, 4, 3, 6)], new(2, 4, 3, 6), (x, y) =>
            _engine.Rotary(x[0], cosine, sine, positions, GradientTarget.Into(y), inverse),
            (x, y, dy, dx) => _engine.Rotary(dy, cosine, sine, positions, dx[0], !inverse));
    }

    [Fact]
    public void Embedding()
    {
        var ids = _engine.Allocate(new Shape(6), ElementType.Int32);
        _engine.Upload([4, 1, 4, 0, 4, 2], ids);
        Check("embedding", [new(5, 3)], new(6, 3), (x, y) => _engine.Embedding(x[0], ids, y), (x, y, dy, dx) =>
            _engine.EmbeddingBackward(ids, dy, dx[0]));
    }

    [Fact]
    public void Softmax_cross_entropy()
    {
        var (targets, logSumExp) = (_engine.Allocate(new Shape(5), ElementType.Int32), New(new Shape(5)));
        _engine.Upload([6, 0, -1, 3, 3], targets);
        Check("cross entropy", [new(5, 7)], new(5), (x, y) => _engine.SoftmaxCrossEntropy(x[0], targets, y, logSumExp),
            (x, y, dy, dx) => _engine.SoftmaxCrossEntropyBackward(x[0], targets, logSumExp, dy, dx[0]));
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Mat_mul(bool transposeA, bool transposeB) =>
        Check("product", [transposeA ? new(4, 3) : new(3, 4), transposeB ? new(5, 4) : new(4, 5)],
        new(3, 5),
        (x, y) => _engine.MatMul(new MatMulArguments(x[0], x[1], y, transposeA, transposeB)),
        (x, y, dy, dx) =>
        {
            // dA = dC B^T and dB = A^T dC, transposed where the operand was.
            _engine.MatMul(transposeA
                ? new MatMulArguments(x[1], dy, dx[0].Tensor!, transposeB, true, true)
                : new MatMulArguments(dy, x[1], dx[0].Tensor!, false, !transposeB, true));
            _engine.MatMul(transposeB
                ? new MatMulArguments(dy, x[0], dx[1].Tensor!, true, transposeA, true)
                : new MatMulArguments(x[0], dy, dx[1].Tensor!, !transposeA, false, true));
        });

    // The loss weighs outputs and log-sum-exps (of rows that keep something), so dLSE is checked with dO.
    [Theory]
    [InlineData("L1 s2", 4, 2)]
    [InlineData("L1 s3 by query head", 4, 1)]
    [InlineData("dense non-causal", 2, 2)]
    [InlineData("random", 4, 2)]
    [InlineData("random mostly empty", 2, 1)]
    public void Attention(string pattern, int heads, int keyValueHeads)
    {
        const int headDim = 6;
        var sequences = SequenceBatch.Packed([33, 5, 1], [33, 40, 20]);
        var layout = BlockLayout.Create(PatternCatalog.Create(pattern, heads, keyValueHeads, 16), 40);
        var (queryShape, keyShape, lseShape) = (new Shape(1, 40, heads, headDim),
            new Shape(1, 95, keyValueHeads, headDim), new Shape(1, heads, 40));
        Shape[] shapes = [queryShape, keyShape, keyShape];
        double[][] inputs = [.. shapes.Select(shape => _random.Normal(shape.Count))];
        double[] outputWeights = _random.Normal(queryShape.Count), lseWeights = _random.Normal(lseShape.Count);

        double Loss(double[][] at)
        {
            var (x, output, lse) = (Tensors(shapes, at), New(queryShape), New(lseShape));
            Forward(x, output, lse);
            return Weigh(output, outputWeights) + Weigh(lse, lseWeights);
        }

        var (operands, result, normalizer) = (Tensors(shapes, inputs), New(queryShape), New(lseShape));
        Forward(operands, result, normalizer);
        var (dOutput, dLse) = (Tensors([queryShape], [outputWeights])[0], Tensors([lseShape], [lseWeights])[0]);
        Tensor[] gradients = [.. shapes.Select(New)];
        _engine.AttentionBackward(new AttentionBackwardArguments(operands[0], operands[1], operands[2], result,
            normalizer, dOutput, dLse,
            gradients[0], gradients[1], gradients[2], layout, sequences, 0.7f));
        GradientCheck.Run($"attention '{pattern}'", Loss, inputs,
            [.. gradients.Select(ReferenceEngine.Values)], _random);

        void Forward(Tensor[] x, Tensor output, Tensor lse) =>
            _engine.AttentionForward(new AttentionForwardArguments(x[0], x[1], x[2], output, lse, layout,
            sequences, 0.7f));
    }

    [Fact]
    public void A_wrong_gradient_is_found()
    {
        double[][] inputs = [_random.Normal(30)];
        double[] gradient = [.. inputs[0].Select(x => 2 * x)];
        double Loss(double[][] x) => x[0].Sum(value => value * value);
        GradientCheck.Run("sum of squares", Loss, inputs, [gradient], _random);
        gradient[Array.IndexOf(gradient, gradient.Max())] *= 1.001;
        Assert.ThrowsAny<Exception>(() =>
            GradientCheck.Run("sum of squares", Loss, inputs, [gradient], _random, coordinates: 30));
    }

    // loss = sum of weights * y(x); the gradient is added to 1, so that accumulation is checked too.
    private void Check(string what, Shape[] shapes, Shape outputShape, Action<Tensor[], Tensor> forward,
        Action<Tensor[], Tensor, Tensor, GradientTarget[]> backward)
    {
        double[][] inputs = [.. shapes.Select(shape => _random.Normal(shape.Count))];
        double[] weights = _random.Normal(outputShape.Count);

        double Loss(double[][] at)
        {
            var output = New(outputShape);
            forward(Tensors(shapes, at), output);
            return Weigh(output, weights);
        }

        var (x, y, dy) = (Tensors(shapes, inputs), New(outputShape), Tensors([outputShape], [weights])[0]);
        forward(x, y);
        Tensor[] gradients = [.. shapes.Select(New)];
        foreach (var gradient in gradients)
            _engine.Fill(gradient, 1);
        backward(x, y, dy, [.. gradients.Select(GradientTarget.AddTo)]);
        GradientCheck.Run(what, Loss, inputs,
            [.. gradients.Select(g => ReferenceEngine.Values(g).Select(value => value - 1).ToArray())], _random);
    }

    private Tensor New(Shape shape) => _engine.Allocate(shape, ElementType.Float64);

    private Tensor[] Tensors(Shape[] shapes, double[][] values) => [.. shapes.Zip(values, (shape, content) =>
    {
        var tensor = New(shape);
        ReferenceEngine.SetValues(tensor, content);
        return tensor;
    })];

    // Rows without keys have a log-sum-exp of -inf, which no input moves.
    private static double Weigh(Tensor tensor, double[] weights) =>
        ReferenceEngine.Values(tensor).Zip(weights, (value, w) => double.IsFinite(value) ? w * value : 0).Sum();
}

using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Core.Tests.Cpu;

/// <summary>Every operation once, on fixed tensors: for questions about all of them together.</summary>
internal sealed class Workload : IDisposable
{
    private const float Epsilon = 1e-5f;

    private readonly IEngine _engine;
    private readonly List<Tensor> _tensors = [];
    private readonly Random _random;
    private readonly Tensor _x, _y, _z, _weight, _squareWeight, _perRow, _perRowToo, _dweight, _norm;
    private readonly Tensor _first, _second, _ids, _table, _heads, _rotated, _angles, _positions, _product,
        _few, _start;
    private readonly Tensor[][] _gradients;
    private readonly AdamWParameter[] _parameters;

    public Workload(IEngine engine, int rows, int columns, int seed)
    {
        (_engine, _random) = (engine, new Random(seed));
        (_x, _y, _z) = (Normal(rows, columns), Normal(rows, columns), Normal(rows, columns));
        (_weight, _dweight, _squareWeight, _product) =
            (Normal(columns), Normal(columns), Normal(columns, columns), Normal(rows, columns));
        (_perRow, _perRowToo, _norm, _few) = (Normal(rows), Normal(rows), Normal(1), Normal(5, columns));
        (_first, _second, _table) = (Normal(rows, columns), Normal(rows, columns), Normal(17, columns));
        (_heads, _rotated, _angles) = (Normal(1, rows, 3, 10), Normal(1, rows, 3, 10), Normal(8, 5));
        _start = Own(_x.Slice(0, 0, 5));
        engine.Fill(_second, 0.5f); // a mean of squares
        (_gradients, _parameters) = ([[_z]], [new(_x, _z, _first, _second, 0.1f)]);
        (_ids, _positions) = (Integers(rows, 17), Integers(rows, 8));
    }

    public void Run()
    {
        var e = _engine;
        e.RmsNorm(_x, _weight, _y, _perRow, Epsilon);
        e.RmsNormBackward(_x, _weight, _perRow, _y, GradientTarget.Into(_z), GradientTarget.Into(_dweight));
        e.SumRows(_z, GradientTarget.AddTo(_dweight));
        e.Center(_z, GradientTarget.AddTo(_y));
        e.AddBias(_weight, _y);
        e.MatMul(new MatMulArguments(_z, _squareWeight, _product, TransposeB: true) { Bias = _weight, Residual = _x });
        e.MatMul(new MatMulArguments(_y, _squareWeight, _product, Accumulate: true));
        e.MatMul(new MatMulArguments(_product, _y, _squareWeight, TransposeA: true));
        e.AddScaled(_squareWeight, -0.9f, _squareWeight);
        e.MatMul(new MatMulArguments(_start, _squareWeight, _few));
        e.MatMul(new MatMulArguments(_start, _squareWeight, _few, TransposeB: true, Accumulate: true));
        e.SwiGlu(_x, _y, _z);
        e.SwiGluBackward(_x, _y, _z, GradientTarget.Into(_product), GradientTarget.AddTo(_z));
        e.Gelu(_z, _product);
        e.GeluBackward(_z, _product, GradientTarget.Into(_y));
        e.Embedding(_table, _ids, _product);
        e.EmbeddingBackward(_ids, _y, GradientTarget.Into(_table));
        e.Rotary(_heads, _angles, _angles, _positions, GradientTarget.Into(_rotated), inverse: false);
        e.SoftmaxCrossEntropy(_x, _ids, _perRow, _perRowToo);
        e.SoftmaxCrossEntropyBackward(_x, _ids, _perRowToo, _perRow, GradientTarget.Into(_z));
        e.SumOfSquares(_gradients, _norm);
        e.AdamW(new AdamWArguments(_parameters, 0.01f, 0.9f, 0.99f, 1e-8f, 3, 1));
        e.Add(_x, _z, _y);
        e.Copy(_y, _product);
        if (e.CountNonFinite(_product) != 0)
            throw new InvalidOperationException("a result is not finite");
    }

    /// <summary>Everything that was computed.</summary>
    public float[] Results() =>
        [.. _tensors.Where(t => t.ElementType == ElementType.Float32).SelectMany(_engine.ToArray)];

    public void Dispose() => _tensors.ForEach(t => t.Dispose());

    private Tensor Normal(params int[] shape) =>
        Own(_engine.FromArray([.. _random.Normal(new Shape(shape).Count, 0.5).Select(x => (float)x)], shape));

    private Tensor Integers(int count, int end) =>
        Own(_engine.FromArray([.. Enumerable.Range(0, count).Select(_ => _random.Next(end))], 1, count));

    private Tensor Own(Tensor tensor)
    {
        _tensors.Add(tensor);
        return tensor;
    }
}

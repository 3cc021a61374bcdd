using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

public static partial class Operations
{
    /// <summary><c>y = x W^T</c>, without a bias.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[T, in] or [B, N, in]. Kept for the gradient of the weight.</param>
    /// <param name="weight">W [out, in]; read from its 16-bit shadow where it has one.</param>
    /// <param name="resultType">Element type of y; null for the tape's activations.</param>
    /// <returns>y [T, out] or [B, N, out]. Its value is not needed by the gradients.</returns>
    /// <exception cref="ShapeException">The shapes do not fit.</exception>
    /// <remarks>2 T in out multiplications and additions; twice that for the gradients <c>dx (+)= dy W, dW (+)= dy^T
    /// x</c>.</remarks>
    public static Variable Linear(this Tape tape, Variable x, Variable weight, ElementType? resultType = null) =>
        tape.LinearWithFewRows(x, weight, 0, resultType);

    /// <summary>The same, with the first rows computed as <see cref="MatMulArguments.FewRows"/> says.</summary>
    internal static Variable LinearWithFewRows(this Tape tape, Variable x, Variable weight, int fewRows,
        ElementType? resultType = null)
    {
        ShapeRules.Rank(nameof(Linear), nameof(weight), weight.Shape, 2);
        ShapeRules.RowsOrBatch(nameof(Linear), nameof(x), x.Shape);
        if (x.Shape[-1] != weight.Shape[1])
            throw new ShapeException(nameof(Linear), nameof(x), $"[..., {weight.Shape[1]}] for a weight {weight.Shape}",
                x.Shape.ToString());
        if (x.Shape.Rank == 3)
            return tape.Reshape(
                tape.LinearWithFewRows(tape.Reshape(x, ShapeRules.Rows(x.Shape)), weight, fewRows, resultType),
                x.Shape.With(-1, weight.Shape[0]));

        var y = tape.New(new Shape(x.Shape[0], weight.Shape[0]), resultType ?? tape.ActivationType);
        tape.Engine.MatMul(new MatMulArguments(x.Value, weight.Shadow ?? weight.Value, y.Value, TransposeB: true)
        {
            FewRows = fewRows,
        });
        if (tape.Needs(x, weight))
            RecordLinear(tape, x, weight, y);
        return y;
    }

    private static void RecordLinear(Tape tape, Variable x, Variable weight, Variable y) => tape.Record(y, () =>
    {
        if (tape.GradientOf(x) is { Tensor: { } dx } toX)
            tape.Engine.MatMul(new MatMulArguments(y.Gradient!, weight.Shadow ?? weight.Value, dx,
                Accumulate: toX.Accumulate));
        if (tape.GradientOf(weight) is { Tensor: { } dweight } toWeight)
            tape.Engine.MatMul(new MatMulArguments(y.Gradient!, x.Value, dweight, TransposeA: true,
                Accumulate: toWeight.Accumulate));
    });
}

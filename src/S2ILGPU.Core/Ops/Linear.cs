using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

public static partial class Operations
{
    /// <summary><c>y = x W^T + b + residual</c>, rounded once: bias and residual are added before y is
    /// stored.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[T, in] or [B, N, in]. Kept for the gradient of the weight.</param>
    /// <param name="weight">W [out, in]; read from its 16-bit shadow where it has one.</param>
    /// <param name="bias">b [out]; null for none.</param>
    /// <param name="residual">Shaped like y and of its type; shares the memory of y's gradient until something adds to
    /// its own. Null for none.</param>
    /// <param name="resultType">Element type of y; null for the tape's activations.</param>
    /// <returns>y [T, out] or [B, N, out]. Its value is not needed by the gradients.</returns>
    /// <exception cref="ShapeException">The shapes do not fit.</exception>
    /// <remarks>2 T in out multiplications and additions; twice that for the gradients <c>dx (+)= dy W, dW (+)= dy^T
    /// x</c>. <c>db_c (+)= sum_t dy_tc, dresidual (+)= dy</c>.</remarks>
    public static Variable Linear(this Tape tape, Variable x, Variable weight, Variable? bias = null,
        Variable? residual = null, ElementType? resultType = null) =>
        tape.LinearWithFewRows(x, weight, 0, bias, residual, resultType);

    /// <summary>The same, with the first rows computed as <see cref="MatMulArguments.FewRows"/> says.</summary>
    internal static Variable LinearWithFewRows(this Tape tape, Variable x, Variable weight, int fewRows,
        Variable? bias = null, Variable? residual = null, ElementType? resultType = null)
    {
        ShapeRules.Rank(nameof(Linear), nameof(weight), weight.Shape, 2);
        ShapeRules.RowsOrBatch(nameof(Linear), nameof(x), x.Shape);
        if (x.Shape[-1] != weight.Shape[1])
            throw new ShapeException(nameof(Linear), nameof(x), $"[..., {weight.Shape[1]}] for a weight {weight.Shape}",
                x.Shape.ToString());
        var shape = x.Shape.With(-1, weight.Shape[0]);
        if (bias is not null)
            ShapeRules.Same(nameof(Linear), nameof(bias), bias.Shape, new Shape(shape[-1]));
        if (residual is not null)
            ShapeRules.Same(nameof(Linear), nameof(residual), residual.Shape, shape);
        if (x.Shape.Rank == 3)
            return tape.Reshape(tape.LinearWithFewRows(tape.Reshape(x, ShapeRules.Rows(x.Shape)), weight, fewRows, bias,
                residual is null ? null : tape.Reshape(residual, ShapeRules.Rows(shape)), resultType), shape);

        var y = tape.New(shape, resultType ?? tape.ActivationType);
        tape.Engine.MatMul(new MatMulArguments(x.Value, weight.Shadow ?? weight.Value, y.Value, TransposeB: true)
        {
            FewRows = fewRows,
            Bias = bias?.Value,
            Residual = residual?.Value,
        });
        if (tape.Needs(x, weight, bias, residual))
            RecordLinear(tape, (x, weight, bias, residual), y);
        return y;
    }

    private static void RecordLinear(Tape tape,
        (Variable X, Variable Weight, Variable? Bias, Variable? Residual) inputs, Variable y) => tape.Record(y, () =>
    {
        var (x, weight, bias, residual) = inputs;
        if (bias is not null)
            tape.Engine.SumRows(y.Gradient!, tape.GradientOf(bias));
        if (tape.GradientOf(x) is { Tensor: { } dx } toX)
            tape.Engine.MatMul(new MatMulArguments(y.Gradient!, weight.Shadow ?? weight.Value, dx,
                Accumulate: toX.Accumulate));
        if (tape.GradientOf(weight) is { Tensor: { } dweight } toWeight)
            tape.Engine.MatMul(new MatMulArguments(y.Gradient!, x.Value, dweight, TransposeA: true,
                Accumulate: toWeight.Accumulate));
        // last: the residual may share the memory of the gradient that was read so far
        if (residual is not null)
            tape.GiveGradient(residual, y.Gradient!);
    });
}

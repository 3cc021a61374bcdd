using S2ILGPU.Autograd;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

public static partial class Operations
{
    /// <summary><c>y_ic = x_ic w_c / sqrt(mean_k x_ik^2 + epsilon)</c>.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[T, C] or [B, N, C]. Kept.</param>
    /// <param name="weight">w [C].</param>
    /// <param name="epsilon">Added to the mean square; above 0.</param>
    /// <returns>y, shaped like <paramref name="x"/>.</returns>
    /// <exception cref="ShapeException">The shapes do not fit.</exception>
    public static Variable RmsNorm(this Tape tape, Variable x, Variable weight, float epsilon)
    {
        ShapeRules.RowsOrBatch(nameof(RmsNorm), nameof(x), x.Shape);
        ShapeRules.Same(nameof(RmsNorm), nameof(weight), weight.Shape, new Shape(x.Shape[-1]));
        if (x.Shape.Rank == 3)
            return tape.Reshape(tape.RmsNorm(tape.Reshape(x, ShapeRules.Rows(x.Shape)), weight, epsilon), x.Shape);

        var y = tape.New(x.Shape);
        var inverseRms = tape.NewTensor(new Shape(x.Shape[0]));
        tape.Engine.RmsNorm(x.Value, weight.Value, y.Value, inverseRms, epsilon);
        if (tape.Needs(x, weight))
            RecordRmsNorm(tape, x, weight, inverseRms, y);
        return y;
    }

    private static void RecordRmsNorm(Tape tape, Variable x, Variable weight, Tensor inverseRms, Variable y) =>
        tape.Record(y, () =>
        tape.Engine.RmsNormBackward(x.Value, weight.Value, inverseRms, y.Gradient!, tape.GradientOf(x),
            tape.GradientOf(weight)));
}

using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

public static partial class Operations
{
    /// <summary><c>z_ic = x_ic - mean_k x_ik, y_ic = z_ic w_c / sqrt(mean_k z_ik^2 + epsilon) + b_c</c>.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[T, C].</param>
    /// <param name="weight">w [C].</param>
    /// <param name="bias">b [C].</param>
    /// <param name="epsilon">Added to the variance; above 0.</param>
    /// <returns>y [T, C].</returns>
    /// <exception cref="ShapeException">The shapes do not fit.</exception>
    /// <remarks>The root mean square of centred numbers is their standard deviation, so this is <see cref="Center"/>,
    /// <see cref="RmsNorm"/> and <see cref="AddBias"/>.</remarks>
    public static Variable LayerNorm(this Tape tape, Variable x, Variable weight, Variable bias, float epsilon) =>
        tape.AddBias(tape.RmsNorm(tape.Center(x), weight, epsilon), bias);

    /// <summary><c>y_ic = x_ic - mean_k x_ik</c>.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[T, C].</param>
    /// <returns>y [T, C].</returns>
    /// <exception cref="ShapeException">x is not of rank 2.</exception>
    /// <remarks>The gradient is the same map.</remarks>
    public static Variable Center(this Tape tape, Variable x)
    {
        ShapeRules.Rank(nameof(Center), nameof(x), x.Shape, 2);
        var y = tape.New(x.Shape);
        tape.Engine.Center(x.Value, GradientTarget.Into(y.Value));
        if (tape.Needs(x))
            RecordCenter(tape, x, y);
        return y;
    }

    private static void RecordCenter(Tape tape, Variable x, Variable y) =>
        tape.Record(y, () => tape.Engine.Center(y.Gradient!, tape.GradientOf(x)));
}

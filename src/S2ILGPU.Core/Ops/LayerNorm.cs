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
        tape.LayerNormWithFewRows(x, weight, bias, epsilon, 0);

    /// <summary><c>y_ic = x_ic - mean_k x_ik</c>.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[T, C].</param>
    /// <returns>y [T, C].</returns>
    /// <exception cref="ShapeException">x is not of rank 2.</exception>
    /// <remarks>Two products with a column and a row of constants; the gradient is the same map.</remarks>
    public static Variable Center(this Tape tape, Variable x) => tape.CenterWithFewRows(x, 0);

    internal static Variable LayerNormWithFewRows(this Tape tape, Variable x, Variable weight, Variable bias,
        float epsilon, int fewRows) =>
        tape.AddBias(tape.RmsNorm(tape.CenterWithFewRows(x, fewRows), weight, epsilon), bias);

    private static Variable CenterWithFewRows(this Tape tape, Variable x, int fewRows)
    {
        ShapeRules.Rank(nameof(Center), nameof(x), x.Shape, 2);
        var y = tape.New(x.Shape);
        int columns = x.Shape[1];
        var average = tape.Filled(new Shape(columns, 1), 1f / columns);
        var minusOnes = tape.Filled(new Shape(1, columns), -1);
        var mean = tape.NewTensor(new Shape(x.Shape[0], 1));
        tape.Engine.Copy(x.Value, y.Value);
        SubtractMean(tape.Engine, x.Value, y.Value, average, minusOnes, mean, fewRows);
        if (tape.Needs(x))
            RecordCenter(tape, x, average, minusOnes, mean, y);
        return y;
    }

    // y -= mean(x), row by row.
    private static void SubtractMean(IEngine engine, Tensor x, Tensor y, Tensor average, Tensor minusOnes, Tensor mean,
        int fewRows)
    {
        engine.MatMul(new MatMulArguments(x, average, mean) { FewRows = fewRows });
        engine.MatMul(new MatMulArguments(mean, minusOnes, y, Accumulate: true));
    }

    private static void RecordCenter(Tape tape, Variable x, Tensor average, Tensor minusOnes, Tensor mean,
        Variable y) => tape.Record(y, () =>
    {
        tape.AddScaled(y.Gradient, 1, x);
        SubtractMean(tape.Engine, y.Gradient!, x.Gradient!, average, minusOnes, mean, 0);
    });
}

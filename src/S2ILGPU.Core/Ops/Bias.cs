using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

public static partial class Operations
{
    /// <summary><c>y_tc = x_tc + b_c</c> in the memory of x: the bias of a linear layer.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[T, C]. Its value is overwritten, so no other gradient may need it (that of a linear layer does
    /// not need its output).</param>
    /// <param name="bias">b [C].</param>
    /// <returns>y [T, C]; x shares its gradient's memory.</returns>
    /// <exception cref="ShapeException">The shapes do not fit.</exception>
    /// <remarks>A product with a column of ones, <c>y += 1 b</c>, and <c>db (+)= 1^T dy</c>: the engines need no
    /// operation for it.</remarks>
    public static Variable AddBias(this Tape tape, Variable x, Variable bias)
    {
        ShapeRules.Rank(nameof(AddBias), nameof(x), x.Shape, 2);
        ShapeRules.Same(nameof(AddBias), nameof(bias), bias.Shape, new Shape(x.Shape[1]));
        var y = tape.View(x, ViewKey.Reshape(x.Shape));
        var ones = tape.Filled(new Shape(x.Shape[0], 1), 1);
        var row = tape.View(bias, ViewKey.Reshape(new Shape(1, x.Shape[1])));
        tape.Engine.MatMul(new MatMulArguments(ones, row.Value, y.Value, Accumulate: true));
        if (tape.Needs(x, bias))
            RecordBias(tape, x, bias, ones, y);
        return y;
    }

    // A constant of the float type.
    private static Tensor Filled(this Tape tape, Shape shape, float value)
    {
        var constant = tape.NewTensor(shape);
        tape.Engine.Fill(constant, value);
        return constant;
    }

    private static void RecordBias(Tape tape, Variable x, Variable bias, Tensor ones, Variable y) =>
        tape.Record(y, () =>
    {
        if (tape.GradientOf(bias) is { Tensor: { } dbias } toBias)
        {
            using var row = ViewKey.Reshape(new Shape(1, bias.Shape[0])).Apply(dbias);
            tape.Engine.MatMul(new MatMulArguments(ones, y.Gradient!, row, TransposeA: true,
                Accumulate: toBias.Accumulate));
        }
        tape.GiveGradient(x, y.Gradient!);
    });
}

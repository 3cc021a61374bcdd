using S2ILGPU.Autograd;
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
    public static Variable AddBias(this Tape tape, Variable x, Variable bias)
    {
        ShapeRules.Rank(nameof(AddBias), nameof(x), x.Shape, 2);
        ShapeRules.Same(nameof(AddBias), nameof(bias), bias.Shape, new Shape(x.Shape[1]));
        var y = tape.View(x, ViewKey.Reshape(x.Shape));
        tape.Engine.AddBias(bias.Value, y.Value);
        if (tape.Needs(x, bias))
            RecordBias(tape, x, bias, y);
        return y;
    }

    private static void RecordBias(Tape tape, Variable x, Variable bias, Variable y) => tape.Record(y, () =>
    {
        tape.Engine.SumRows(y.Gradient!, tape.GradientOf(bias));
        tape.GiveGradient(x, y.Gradient!);
    });
}

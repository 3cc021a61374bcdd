using S2ILGPU.Autograd;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

public static partial class Operations
{
    /// <summary><c>y = a + b</c>.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="a">Contiguous.</param>
    /// <param name="b">Shaped like <paramref name="a"/>.</param>
    /// <returns>y. Both inputs share its gradient's memory until one of them adds to it.</returns>
    /// <exception cref="ShapeException">The shapes differ.</exception>
    public static Variable Add(this Tape tape, Variable a, Variable b)
    {
        ShapeRules.Same(nameof(Add), nameof(b), b.Shape, a.Shape);
        var y = tape.New(a.Shape);
        tape.Engine.Add(a.Value, b.Value, y.Value);
        if (tape.Needs(a, b))
            RecordAdd(tape, a, b, y);
        return y;
    }

    /// <summary><c>y = branch + residual</c> in the memory of the branch: the end of a residual branch.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="branch">Contiguous. Its value is overwritten, so no other gradient may need it (that of a linear
    /// layer does not need its output).</param>
    /// <param name="residual">Shaped like <paramref name="branch"/>.</param>
    /// <returns>y. Both inputs share its gradient's memory until one of them adds to it.</returns>
    /// <exception cref="ShapeException">The shapes differ.</exception>
    public static Variable AddInto(this Tape tape, Variable branch, Variable residual)
    {
        ShapeRules.Same(nameof(AddInto), nameof(residual), residual.Shape, branch.Shape);
        var y = tape.View(branch, ViewKey.Reshape(branch.Shape));
        tape.Engine.Add(branch.Value, residual.Value, y.Value);
        if (tape.Needs(branch, residual))
            RecordAdd(tape, branch, residual, y);
        return y;
    }

    private static void RecordAdd(Tape tape, Variable a, Variable b, Variable y) => tape.Record(y, () =>
    {
        tape.GiveGradient(a, y.Gradient!);
        tape.GiveGradient(b, y.Gradient!);
    });
}

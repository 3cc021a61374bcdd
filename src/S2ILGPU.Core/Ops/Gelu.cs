using S2ILGPU.Autograd;

namespace S2ILGPU.Ops;

public static partial class Operations
{
    /// <summary><c>y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))</c>, elementwise.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">Any shape, contiguous. Kept.</param>
    /// <returns>y, shaped like <paramref name="x"/>.</returns>
    public static Variable Gelu(this Tape tape, Variable x)
    {
        var y = tape.New(x.Shape);
        tape.Engine.Gelu(x.Value, y.Value);
        if (tape.Needs(x))
            RecordGelu(tape, x, y);
        return y;
    }

    private static void RecordGelu(Tape tape, Variable x, Variable y) => tape.Record(y, () =>
        tape.Engine.GeluBackward(x.Value, y.Gradient!, tape.GradientOf(x)));
}

using S2ILGPU.Autograd;

namespace S2ILGPU.Ops;

public static partial class Operations
{
    /// <summary><c>y = factor x</c>.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">Contiguous.</param>
    /// <param name="factor">The factor.</param>
    /// <returns>y, shaped like <paramref name="x"/>; x itself where the factor is 1.</returns>
    public static Variable Scale(this Tape tape, Variable x, float factor)
    {
        if (factor == 1)
            return x;
        var y = tape.New(x.Shape);
        tape.Engine.Fill(y.Value, 0);
        tape.Engine.AddScaled(x.Value, factor, y.Value);
        if (tape.Needs(x))
            RecordScale(tape, x, factor, y);
        return y;
    }

    private static void RecordScale(Tape tape, Variable x, float factor, Variable y) =>
        tape.Record(y, () => tape.AddScaled(y.Gradient, factor, x));
}

using S2ILGPU.Autograd;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

public static partial class Operations
{
    /// <summary><c>y = silu(gate) up</c> with <c>silu(g) = g / (1 + exp(-g))</c>, elementwise.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="gate">[T, F]; rows may be strided, as the first half of a fused product. Kept.</param>
    /// <param name="up">[T, F]; rows may be strided. Kept.</param>
    /// <returns>y [T, F], contiguous.</returns>
    /// <exception cref="ShapeException">The shapes differ or are not of rank 2.</exception>
    /// <seealso cref="Halves"/>
    public static Variable SwiGlu(this Tape tape, Variable gate, Variable up)
    {
        ShapeRules.Rank(nameof(SwiGlu), nameof(gate), gate.Shape, 2);
        ShapeRules.Same(nameof(SwiGlu), nameof(up), up.Shape, gate.Shape);
        var y = tape.New(gate.Shape);
        tape.Engine.SwiGlu(gate.Value, up.Value, y.Value);
        if (tape.Needs(gate, up))
            RecordSwiGlu(tape, gate, up, y);
        return y;
    }

    private static void RecordSwiGlu(Tape tape, Variable gate, Variable up, Variable y) => tape.Record(y, () =>
        tape.Engine.SwiGluBackward(gate.Value, up.Value, y.Gradient!, tape.GradientOf(gate), tape.GradientOf(up)));
}

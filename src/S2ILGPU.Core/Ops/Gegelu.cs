using S2ILGPU.Autograd;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

public static partial class Operations
{
    /// <summary><c>y = g sigmoid(1.702 g) (u + 1)</c> with <c>g = min(gate, L), u = clamp(up, -L, L)</c>,
    /// elementwise.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="gate">[T, F]; rows may be strided, as the first half of a fused product. Kept.</param>
    /// <param name="up">[T, F]; rows may be strided. Kept.</param>
    /// <param name="limit">L, above 0.</param>
    /// <returns>y [T, F], contiguous.</returns>
    /// <exception cref="ShapeException">The shapes differ or are not of rank 2.</exception>
    public static Variable Gegelu(this Tape tape, Variable gate, Variable up, float limit)
    {
        ShapeRules.Rank(nameof(Gegelu), nameof(gate), gate.Shape, 2);
        ShapeRules.Same(nameof(Gegelu), nameof(up), up.Shape, gate.Shape);
        var y = tape.New(gate.Shape);
        tape.Engine.Gegelu(gate.Value, up.Value, limit, y.Value);
        if (tape.Needs(gate, up))
            RecordGegelu(tape, gate, up, limit, y);
        return y;
    }

    private static void RecordGegelu(Tape tape, Variable gate, Variable up, float limit, Variable y) =>
        tape.Record(y, () => tape.Engine.GegeluBackward(gate.Value, up.Value, limit, y.Gradient!,
            tape.GradientOf(gate), tape.GradientOf(up)));
}

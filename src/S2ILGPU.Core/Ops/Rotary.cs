using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

public static partial class Operations
{
    /// <summary>Rotates the first heads of each token by the angles of its position, in place: <c>y_c = x_c cos -
    /// x_{c+D/2} sin, y_{c+D/2} = x_{c+D/2} cos + x_c sin</c>.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[B, N, G, D]. Its value is overwritten, so no other gradient may need it (that of a linear layer
    /// does not need its output).</param>
    /// <param name="rotatedHeads">How many heads turn, from the first: query and key heads of a fused product; the
    /// others stay as they are.</param>
    /// <param name="table">Cosines and sines; where it has fewer numbers than D, the first ones of each head turn and
    /// the rest stay as they are.</param>
    /// <param name="positions">Int32 [B, N], rows of the table. Kept.</param>
    /// <returns>y in the memory of <paramref name="x"/>; the gradient turns back in place too.</returns>
    /// <exception cref="ShapeException">The shapes do not fit.</exception>
    public static Variable RotaryInPlace(this Tape tape, Variable x, int rotatedHeads, RotaryTable table,
        Variable positions)
    {
        ShapeRules.Rank(nameof(RotaryInPlace), nameof(x), x.Shape, 4);
        if (rotatedHeads < 0 || rotatedHeads > x.Shape[2])
            throw new ShapeException(nameof(RotaryInPlace), nameof(rotatedHeads), $"0 to {x.Shape[2]} for {x.Shape}",
                $"{rotatedHeads}");
        if (x.Shape[3] < table.HeadDim)
            throw new ShapeException(nameof(RotaryInPlace), nameof(x),
                $"[B, N, G, D] with D of {table.HeadDim} or more", x.Shape.ToString());
        ShapeRules.Integers(nameof(RotaryInPlace), nameof(positions), positions, (long)x.Shape[0] * x.Shape[1]);
        ShapeRules.Same(nameof(RotaryInPlace), nameof(positions), positions.Shape, new Shape(x.Shape[0], x.Shape[1]));

        var y = tape.View(x, ViewKey.Reshape(x.Shape));
        var heads = tape.View(y, ViewKey.Range(x.Shape, 2, 0, rotatedHeads));
        var rotated = tape.View(heads, ViewKey.Range(heads.Shape, 3, 0, table.HeadDim));
        tape.Engine.Rotary(rotated.Value, table.Cosine, table.Sine, positions.Value, GradientTarget.Into(rotated.Value),
            inverse: false);
        if (tape.Needs(x))
            RecordRotary(tape, x, rotatedHeads, table, positions, y);
        return y;
    }

    private static void RecordRotary(Tape tape, Variable x, int rotatedHeads, RotaryTable table, Variable positions,
        Variable y) => tape.Record(y, () =>
    {
        var dy = tape.OwnGradient(y);
        using (var heads = dy.Slice(2, 0, rotatedHeads))
        using (var rotated = heads.Slice(3, 0, table.HeadDim))
            tape.Engine.Rotary(rotated, table.Cosine, table.Sine, positions.Value, GradientTarget.Into(rotated),
                inverse: true);
        tape.GiveGradient(x, dy);
    });
}

using S2ILGPU.Autograd;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

/// <summary>The operations of a transformer, each with its gradient, as extensions of the tape that records them. One
/// file per operation.</summary>
/// <remarks>Every operation checks its shapes, calls the engine, and records its gradient when the tape records.
/// Results belong to the tape.</remarks>
public static partial class Operations
{
    /// <summary>The same elements under another shape, without a copy.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">Contiguous.</param>
    /// <param name="shape">A shape with as many elements.</param>
    /// <returns>A view; its gradient is the gradient of <paramref name="x"/>, without a copy either.</returns>
    /// <exception cref="ShapeException">The element counts differ, or <paramref name="x"/> is not
    /// contiguous.</exception>
    public static Variable Reshape(this Tape tape, Variable x, Shape shape)
    {
        if (x.Shape == shape)
            return x;
        var y = tape.View(x, ViewKey.Reshape(shape));
        if (tape.Needs(x))
            RecordReshape(tape, x, y);
        return y;
    }

    private static void RecordReshape(Tape tape, Variable x, Variable y) =>
        tape.Record(y, () => tape.GiveGradient(x, y.Gradient!));
}

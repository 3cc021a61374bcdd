using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

public static partial class Operations
{
    /// <summary><c>loss_t = ln sum_v exp(logits_tv) - logits[t, targets_t]</c>, 0 where the target is -1.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="logits">[T, V], of the engine's float type. Kept.</param>
    /// <param name="targets">Int32 with T elements, -1 or 0 to V exclusive. Kept.</param>
    /// <returns>Losses [T] in natural units; seed the backward walk with 1 / (number of counted targets) for their
    /// mean.</returns>
    /// <seealso cref="LinearCrossEntropy(Tape, Variable, Variable, Variable)"/>
    /// <exception cref="ShapeException">The shapes do not fit.</exception>
    public static Variable SoftmaxCrossEntropy(this Tape tape, Variable logits, Variable targets)
    {
        ShapeRules.Rank(nameof(SoftmaxCrossEntropy), nameof(logits), logits.Shape, 2);
        ShapeRules.Integers(nameof(SoftmaxCrossEntropy), nameof(targets), targets, logits.Shape[0]);
        var flat = tape.Flat(targets);
        var losses = tape.New(new Shape(logits.Shape[0]), tape.Engine.FloatType);
        var logSumExp = tape.NewTensor(losses.Shape);
        tape.Engine.SoftmaxCrossEntropy(logits.Value, flat.Value, losses.Value, logSumExp);
        if (tape.Needs(logits))
            RecordSoftmaxCrossEntropy(tape, logits, flat, logSumExp, losses);
        return losses;
    }

    private static void RecordSoftmaxCrossEntropy(Tape tape, Variable logits, Variable targets, Tensor logSumExp,
        Variable losses) => tape.Record(losses, () =>
        tape.Engine.SoftmaxCrossEntropyBackward(logits.Value, targets.Value, logSumExp, losses.Gradient!,
            tape.GradientOf(logits)));
}

using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

public static partial class Operations
{
    /// <summary><c>logits = x W^T, loss_t = ln sum_v exp(logits_tv) - logits[t, targets_t]</c>, 0 where the target is
    /// -1: the head of a model and its loss, a chunk of rows at a time, so that all logits never exist
    /// together.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[T, C].</param>
    /// <param name="weight">W [V, C]; read from its 16-bit shadow where it has one.</param>
    /// <param name="targets">Int32 with T elements, -1 or 0 to V exclusive.</param>
    /// <returns>Losses [T] in natural units, of the engine's float type. Their gradient must be the seed of <see
    /// cref="Tape.Backward"/>, one number for all rows: 1 / (number of counted targets) for their mean.</returns>
    /// <exception cref="ShapeException">The shapes do not fit.</exception>
    /// <remarks>
    /// <para>Where gradients are wanted, the forward pass computes them too, for a seed of 1: <c>dx</c> [T, C] and
    /// <c>dW</c> [V, C], in the engine's float type, which the backward walk scales. Otherwise it would have to compute
    /// every logit again. 2 T V C multiplications and additions, 6 T V C with gradients.</para>
    /// <para>The backward walk throws an <see cref="InvalidOperationException"/> where another op reads the losses: use
    /// <see cref="Linear"/> and <see cref="SoftmaxCrossEntropy"/> there.</para>
    /// </remarks>
    public static Variable LinearCrossEntropy(this Tape tape, Variable x, Variable weight, Variable targets) =>
        tape.LinearCrossEntropy(x, weight, targets, null);

    /// <summary>The same, with logits of -inf in some columns.</summary>
    internal static Variable LinearCrossEntropy(this Tape tape, Variable x, Variable weight, Variable targets,
        ColumnRanges? unused)
    {
        ShapeRules.Rank(nameof(LinearCrossEntropy), nameof(x), x.Shape, 2);
        ShapeRules.Rank(nameof(LinearCrossEntropy), nameof(weight), weight.Shape, 2);
        if (x.Shape[1] != weight.Shape[1])
            throw new ShapeException(nameof(LinearCrossEntropy), nameof(x),
                $"[T, {weight.Shape[1]}] for a weight {weight.Shape}", x.Shape.ToString());
        ShapeRules.Integers(nameof(LinearCrossEntropy), nameof(targets), targets, x.Shape[0]);

        var losses = tape.New(new Shape(x.Shape[0]), tape.Engine.FloatType);
        bool isRecorded = tape.Needs(x, weight);
        var head = new LossHead(tape.Engine, x.Value, weight.Shadow ?? weight.Value, tape.Flat(targets).Value,
            losses.Value)
        {
            Unused = unused,
            InputGradient = isRecorded && x.RequiresGradient ? tape.NewTensor(x.Shape, x.Value.ElementType) : null,
            WeightGradient = isRecorded && weight.RequiresGradient ? tape.NewTensor(weight.Shape) : null,
        };
        head.Run();
        if (isRecorded)
            RecordLinearCrossEntropy(tape, x, weight, head, losses);
        return losses;
    }

    private static void RecordLinearCrossEntropy(Tape tape, Variable x, Variable weight, LossHead head,
        Variable losses) => tape.Record(losses, () =>
    {
        float seed = losses.Seed ?? throw new InvalidOperationException(
            $"the losses of {nameof(LinearCrossEntropy)} must be the end of the backward walk, another op reads them");
        tape.AddScaled(head.InputGradient, seed, x);
        tape.AddScaled(head.WeightGradient, seed, weight);
    });
}

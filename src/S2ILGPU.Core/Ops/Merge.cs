using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

/// <summary>Attention over a part of the keys, on a tape: what <see cref="Operations.Merge"/> joins.</summary>
/// <param name="Output">O [B, N, H, D].</param>
/// <param name="LogSumExp">LSE [B, H, N], natural logarithm; -infinity for rows that keep nothing and for
/// padding.</param>
public readonly record struct AttentionPart(Variable Output, Variable LogSumExp);

public static partial class Operations
{
    /// <summary>Merges attention over disjoint parts of the keys: <c>LSE = ln sum_i exp(LSE_i), O = sum_i exp(LSE_i -
    /// LSE) O_i</c>.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="parts">The parts, for the same queries. Kept.</param>
    /// <returns>The attention over all keys, again a part, so that merges compose in a tree.</returns>
    /// <exception cref="ArgumentException">There are no parts.</exception>
    /// <exception cref="ShapeException">The parts differ in shape.</exception>
    /// <remarks>Gradients: <c>w_i = exp(LSE_i - LSE), dO_i = w_i dO, dLSE_i = w_i (rowsum(dO (O_i - O)) +
    /// dLSE)</c>.</remarks>
    public static AttentionPart Merge(this Tape tape, params IReadOnlyList<AttentionPart> parts)
    {
        if (parts.Count == 0)
            throw new ArgumentException($"{nameof(Merge)}: there are no parts");
        var first = parts[0].Output.Value;
        foreach (var part in parts)
        {
            AttentionRules.CheckLike(nameof(Merge), nameof(part.Output), part.Output.Value, first);
            AttentionRules.CheckStatistics(nameof(Merge), nameof(part.LogSumExp), part.LogSumExp.Value, first);
        }
        var merged = new AttentionPart(tape.New(first.Shape),
            tape.New(parts[0].LogSumExp.Shape, AttentionRules.LogSumExpType(first)));
        if (first.Count > 0)
            tape.Engine.MergePartitions([.. parts.Select(p => p.Output.Value)],
                [.. parts.Select(p => p.LogSumExp.Value)], merged.Output.Value, merged.LogSumExp.Value);
        if (tape.Needs([.. parts.Select(p => p.Output), .. parts.Select(p => p.LogSumExp)]))
            RecordPart(tape, merged, logSumExpGradient =>
            {
                foreach (var part in parts)
                    MergeBackward(tape, part, merged, logSumExpGradient);
            });
        return merged;
    }

    private static void MergeBackward(Tape tape, AttentionPart part, AttentionPart merged, Tensor? logSumExpGradient)
    {
        if (!part.Output.RequiresGradient && !part.LogSumExp.RequiresGradient)
            return;
        using GradientMemory output = new(tape, part.Output), logSumExp = new(tape, part.LogSumExp);
        if (part.Output.Value.Count > 0)
            tape.Engine.MergePartitionBackward(new MergeBackwardArguments(part.Output.Value, part.LogSumExp.Value,
                merged.Output.Value, merged.LogSumExp.Value, merged.Output.Gradient!, logSumExpGradient,
                output.Tensor, logSumExp.Tensor));
    }

    // Records an op with two results. The gradient of LSE arrives first, as the later node, and waits for that of O,
    // which is 0 when O is not read.
    private static void RecordPart(Tape tape, AttentionPart part, Action<Tensor?> backward)
    {
        Tensor? logSumExpGradient = null;
        tape.Record(part.Output, () =>
        {
            using var given = logSumExpGradient;
            logSumExpGradient = null;
            backward(given);
        });
        tape.Record(part.LogSumExp, () =>
        {
            logSumExpGradient = part.LogSumExp.Gradient!.Share();
            if (!part.Output.HasGradient)
                tape.Engine.Fill(part.Output.ClaimGradient(tape.Engine), 0);
        });
    }
}

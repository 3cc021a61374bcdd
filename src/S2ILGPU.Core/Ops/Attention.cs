using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Tensors;

namespace S2ILGPU.Ops;

public static partial class Operations
{
    /// <summary><c>O = softmax(Q K^T / sqrt(D) over the kept blocks) V</c>.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="query">Q [B, Nq, H, D]; may be a part of a fused product. Kept.</param>
    /// <param name="key">K [B, Nk, Hkv, D]. Kept.</param>
    /// <param name="value">V [B, Nk, Hkv, D]. Kept.</param>
    /// <param name="layout">The kept blocks.</param>
    /// <param name="sequences">Padded or packed sequences; null when all have the tensors' length.</param>
    /// <param name="scale">Factor of the scores; null for 1 / sqrt(D).</param>
    /// <returns>O [B, Nq, H, D]; kept for the gradient together with the log-sum-exp [B, H, Nq].</returns>
    /// <exception cref="ArgumentException">Shapes, heads or lengths do not fit each other or the layout.</exception>
    /// <remarks>Gradients of parts of one fused product are written straight into its gradient.</remarks>
    public static Variable Attention(this Tape tape, Variable query, Variable key, Variable value, BlockLayout layout,
        SequenceBatch? sequences = null,
        float? scale = null)
    {
        var arguments = Arguments(nameof(Attention), tape, query, key, value, layout, sequences, scale);
        var output = tape.New(query.Shape);
        bool needed = tape.Needs(query, key, value);
        var logSumExp = needed ? tape.NewTensor(AttentionRules.StatisticsShape(query.Value)) : null;
        arguments = arguments with { Output = output.Value, LogSumExp = logSumExp };
        tape.Engine.AttentionForward(arguments);
        if (needed)
            RecordAttention(tape, query, key, value, output, arguments);
        return output;
    }

    /// <summary>Attention over a part of the keys, with its log-sum-exp: <c>O = softmax(Q K^T / sqrt(D) over the kept
    /// blocks) V, LSE = ln sum exp(q k / sqrt(D))</c>.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="query">Q [B, Nq, H, D]. Kept.</param>
    /// <param name="key">K [B, Nk, Hkv, D]. Kept.</param>
    /// <param name="value">V [B, Nk, Hkv, D]. Kept.</param>
    /// <param name="layout">The kept blocks.</param>
    /// <param name="sequences">Padded or packed sequences; null when all have the tensors' length.</param>
    /// <param name="scale">Factor of the scores; null for 1 / sqrt(D).</param>
    /// <returns>O [B, Nq, H, D] and LSE [B, H, Nq], each with a gradient, for <see cref="Merge"/>.</returns>
    /// <exception cref="ArgumentException">Shapes, heads or lengths do not fit each other or the layout.</exception>
    public static AttentionPart PartialAttention(this Tape tape, Variable query, Variable key, Variable value,
        BlockLayout layout, SequenceBatch? sequences = null, float? scale = null)
    {
        var arguments = Arguments(nameof(PartialAttention), tape, query, key, value, layout, sequences, scale);
        var part = new AttentionPart(tape.New(query.Shape),
            tape.New(AttentionRules.StatisticsShape(query.Value), AttentionRules.LogSumExpType(query.Value)));
        arguments = arguments with { Output = part.Output.Value, LogSumExp = part.LogSumExp.Value };
        tape.Engine.AttentionForward(arguments);
        if (tape.Needs(query, key, value))
            RecordPart(tape, part, logSumExpGradient =>
                AttentionBackward(tape, query, key, value, part.Output, arguments, logSumExpGradient));
        return part;
    }

    // The checked arguments of a forward pass, still without results.
    private static AttentionForwardArguments Arguments(string operation, Tape tape, Variable query, Variable key,
        Variable value, BlockLayout layout, SequenceBatch? sequences, float? scale)
    {
        AttentionRules.CheckTensors(operation, tape.Engine, query.Value, key.Value, value.Value, layout);
        sequences = AttentionRules.CheckSequences(operation, sequences, query.Value, key.Value, layout);
        return new AttentionForwardArguments(query.Value, key.Value, value.Value, query.Value, null, layout, sequences,
            scale ?? SparseAttention.DefaultScale(query.Shape[3]));
    }

    private static void RecordAttention(Tape tape, Variable query, Variable key, Variable value, Variable output,
        AttentionForwardArguments forward) =>
        tape.Record(output, () => AttentionBackward(tape, query, key, value, output, forward, null));

    private static void AttentionBackward(Tape tape, Variable query, Variable key, Variable value, Variable output,
        in AttentionForwardArguments forward, Tensor? logSumExpGradient)
    {
        using GradientMemory dq = new(tape, query), dk = new(tape, key), dv = new(tape, value);
        tape.Engine.AttentionBackward(new AttentionBackwardArguments(query.Value, key.Value, value.Value, output.Value,
            forward.LogSumExp!, output.Gradient!, logSumExpGradient,
            dq.Tensor, dk.Tensor, dv.Tensor, forward.Layout, forward.Sequences, forward.Scale));
    }

    // The engine overwrites: straight into the gradient for a first writer, otherwise into memory that is added at the
    // end.
    private readonly ref struct GradientMemory
    {
        private readonly Tape _tape;
        private readonly GradientTarget _target;

        public GradientMemory(Tape tape, Variable variable)
        {
            _tape = tape;
            _target = tape.GradientOf(variable);
            Tensor = _target is { Tensor: { } direct, Accumulate: false } ? direct
                : tape.Engine.Allocate(variable.Shape, variable.Value.ElementType);
        }

        public Tensor Tensor { get; }

        public void Dispose()
        {
            if (ReferenceEquals(Tensor, _target.Tensor))
                return;
            if (_target.Tensor is not null)
                _tape.Accumulate(Tensor, _target.Tensor);
            Tensor.Dispose();
        }
    }
}

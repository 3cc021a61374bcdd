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
        AttentionRules.CheckTensors(nameof(Attention), tape.Engine, query.Value, key.Value, value.Value, layout);
        sequences = AttentionRules.CheckSequences(nameof(Attention), sequences, query.Value, key.Value, layout);
        float factor = scale ?? SparseAttention.DefaultScale(query.Shape[3]);
        var output = tape.New(query.Shape);
        bool needed = tape.Needs(query, key, value);
        var logSumExp = needed ? tape.NewTensor(new Shape(query.Shape[0], query.Shape[2], query.Shape[1])) : null;
        tape.Engine.AttentionForward(new AttentionForwardArguments(query.Value, key.Value, value.Value, output.Value,
            logSumExp, layout, sequences, factor));
        if (needed)
            RecordAttention(tape, query, key, value, output, logSumExp!, layout, sequences, factor);
        return output;
    }

    private static void RecordAttention(Tape tape, Variable query, Variable key, Variable value, Variable output,
        Tensor logSumExp,
        BlockLayout layout, SequenceBatch sequences, float scale) => tape.Record(output, () =>
    {
        using GradientMemory dq = new(tape, query), dk = new(tape, key), dv = new(tape, value);
        tape.Engine.AttentionBackward(new AttentionBackwardArguments(query.Value, key.Value, value.Value, output.Value,
            logSumExp, output.Gradient!, null,
            dq.Tensor, dk.Tensor, dv.Tensor, layout, sequences, scale));
    });

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

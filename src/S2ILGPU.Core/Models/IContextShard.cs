using S2ILGPU.Autograd;
using S2ILGPU.Patterns;

namespace S2ILGPU.Models;

/// <summary>The part of each sequence that this rank has, and attention of its queries over the whole
/// sequence.</summary>
/// <remarks><see cref="object.ToString"/> says how it is done: a <see cref="Training.Trainer"/> refuses ranks that say
/// different things.</remarks>
public interface IContextShard
{
    /// <summary>Ranks that share a sequence.</summary>
    int Ranks { get; }

    /// <summary>The positions that are on this rank, in the order of its rows.</summary>
    /// <param name="contextTokens">N, tokens of a whole sequence.</param>
    /// <exception cref="ArgumentException">The sequence is too short to be shared.</exception>
    int[] Positions(int contextTokens);

    /// <summary>Attention of the rank's queries; all ranks of the sequence call it together, and its gradient
    /// too.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="pattern">The pattern of the layer over the whole sequence.</param>
    /// <param name="query">[B, n, H, D] at the rank's positions, after rotary.</param>
    /// <param name="key">[B, n, Hkv, D] at the rank's positions, after rotary.</param>
    /// <param name="value">[B, n, Hkv, D] at the rank's positions.</param>
    /// <param name="contextTokens">N, tokens of a whole sequence.</param>
    /// <returns>[B, n, H, D].</returns>
    Variable Attend(Tape tape, AttentionPattern pattern, Variable query, Variable key, Variable value,
        int contextTokens);
}

/// <summary>A shard as the layers see it.</summary>
internal sealed class ShardedAttention(IContextShard shard, TransformerModel model, int contextTokens)
    : IAttentionMemory
{
    /// <inheritdoc/>
    public Variable Attend(Tape tape, int layer, Variable query, Variable key, Variable value) =>
        shard.Attend(tape, model.Pattern(layer), query, key, value, contextTokens);
}

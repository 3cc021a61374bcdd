using S2ILGPU.Autograd;
using S2ILGPU.Collectives;
using S2ILGPU.Distributed.Context;
using S2ILGPU.Models;
using S2ILGPU.Patterns;

namespace S2ILGPU.Distributed;

/// <summary>Sequences shared by ranks: each has two chunks of every sequence, and for each layer only those keys and
/// values travel that the layer's pattern keeps, or all where that is asked for.</summary>
/// <remarks>Keys and values are sent after rotary, and attention over the rank's own keys runs meanwhile. A rank's
/// results are those of one process but for the order of sums: the gradient of a key adds what its own rank computed,
/// then what the others did, in their order. Patterns must be causal, with windows of whole blocks.</remarks>
/// <param name="group">The ranks that share a sequence; not disposed.</param>
/// <param name="model">The model of this rank, whose layers say which blocks they keep.</param>
/// <param name="scheme">Which keys and values travel; the same on all ranks.</param>
public sealed class ContextParallel(ICollective group, TransformerModel model,
    ContextScheme scheme = ContextScheme.KeptBlocks) : IContextShard
{
    private readonly int _blockTokens =
        Enumerable.Range(0, model.Config.Layers).Max(layer => model.Pattern(layer).BlockTokens);
    private readonly Dictionary<(AttentionPattern Pattern, int Tokens, int Batch), ContextRows> _rows = [];

    /// <inheritdoc/>
    public int Ranks => group.Size;

    /// <inheritdoc/>
    public int[] Positions(int contextTokens) => Chunks(contextTokens).Positions(group.Rank);

    /// <inheritdoc/>
    public Variable Attend(Tape tape, AttentionPattern pattern, Variable query, Variable key, Variable value,
        int contextTokens)
    {
        ArgumentNullException.ThrowIfNull(tape);
        ArgumentNullException.ThrowIfNull(query);
        float scale = (float?)model.Config.AttentionScale ?? 1 / MathF.Sqrt(model.Config.HeadDim);
        return new ContextAttention(group, Rows(pattern, contextTokens, query.Shape[0]), query, key, value,
            scale).Run(tape);
    }

    /// <inheritdoc/>
    public override string ToString() => $"context exchange of {scheme}";

    private ContextRows Rows(AttentionPattern pattern, int contextTokens, int batch)
    {
        if (_rows.TryGetValue((pattern, contextTokens, batch), out var rows))
            return rows;
        return _rows[(pattern, contextTokens, batch)] =
            new ContextRows(new ContextExchange(pattern, Chunks(contextTokens), scheme == ContextScheme.AllGather),
                group.Rank, batch);
    }

    private ContextChunks Chunks(int contextTokens) =>
        new ContextChunks(contextTokens, group.Size, _blockTokens).Validate();
}

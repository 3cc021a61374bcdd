using S2ILGPU.Autograd;
using S2ILGPU.Engines;

namespace S2ILGPU.Models;

/// <summary>What all layers of one forward pass share.</summary>
/// <param name="Batch">B.</param>
/// <param name="Tokens">N, rows of a batch entry, padding included.</param>
/// <param name="Positions">Int32 [B, N].</param>
/// <param name="Sequences">Where the sequences lie.</param>
/// <param name="Layouts">Layouts by length; used without a memory.</param>
/// <param name="Memory">Earlier keys and values; null when the pass sees whole sequences.</param>
internal readonly record struct ForwardPass(int Batch, int Tokens, Variable Positions, SequenceBatch Sequences,
    LayoutCache Layouts, IAttentionMemory? Memory);

/// <summary>Keys and values of earlier forward passes. The models know only this much of a cache.</summary>
internal interface IAttentionMemory
{
    /// <summary>Takes the new keys and values of a layer and returns the attention of the new queries over all that the
    /// layer's pattern keeps.</summary>
    /// <param name="tape">The tape, not recording.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="query">[S, T, H, D].</param>
    /// <param name="key">[S, T, Hkv, D].</param>
    /// <param name="value">[S, T, Hkv, D].</param>
    /// <returns>[S, T, H, D].</returns>
    Variable Attend(Tape tape, int layer, Variable query, Variable key, Variable value);
}

using S2ILGPU.Autograd;
using S2ILGPU.Engines;
using S2ILGPU.Ops;
using S2ILGPU.Tensors;

namespace S2ILGPU.Models;

/// <summary>What all layers of one forward pass share.</summary>
/// <param name="Batch">B.</param>
/// <param name="Tokens">N, rows of a batch entry, padding included.</param>
/// <param name="Rotary">The angles.</param>
/// <param name="Positions">Int32 [B, N], rows of the angles.</param>
/// <param name="Sequences">Where the sequences lie.</param>
/// <param name="Layouts">Layouts by length; used without a memory.</param>
/// <param name="Memory">Earlier keys and values; null when the pass sees whole sequences.</param>
internal readonly record struct ForwardPass(int Batch, int Tokens, RotaryTable Rotary, Variable Positions,
    SequenceBatch Sequences, LayoutCache Layouts, IAttentionMemory? Memory)
{
    /// <summary>Rows, from the first, of sequences that have few tokens in the pass; see <see
    /// cref="MatMulArguments.FewRows"/>.</summary>
    public int FewRows { get; init; }

    /// <summary>What chooses the blocks of whole sequences; null for the patterns of the layers.</summary>
    public SampleAttention? Sample { get; init; }

    /// <summary>Attention on other devices; null for attention here.</summary>
    public IAttentionElsewhere? Elsewhere { get; init; }
}

/// <summary>Keys and values from elsewhere: earlier forward passes, other ranks. The models know only this much of
/// both.</summary>
internal interface IAttentionMemory
{
    /// <summary>Takes the new keys and values of a layer and returns the attention of the new queries over all that the
    /// layer's pattern keeps.</summary>
    /// <param name="tape">The tape; a cache has no gradients, so it does not record then.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="query">[S, T, H, D].</param>
    /// <param name="key">[S, T, Hkv, D].</param>
    /// <param name="value">[S, T, Hkv, D].</param>
    /// <returns>[S, T, H, D].</returns>
    Variable Attend(Tape tape, int layer, Variable query, Variable key, Variable value);
}

/// <summary>Earlier keys and values and attention over them, on other devices than the model. The models know only this
/// much of them.</summary>
internal interface IAttentionElsewhere
{
    /// <summary>Sends the queries [1, T, H, D] of a layer, before there are keys and values.</summary>
    void Query(int layer, Tensor query);

    /// <summary>Sends the keys and values [1, T, Hkv, D] of the layer.</summary>
    void KeyValue(int layer, Tensor key, Tensor value);

    /// <summary>Waits for the outputs [1, T, H, D] of the layer.</summary>
    void Output(int layer, Tensor output);
}

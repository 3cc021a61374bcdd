using S2ILGPU.Tensors;

namespace S2ILGPU.Models;

/// <summary>A tensor of a model under the name that it has in a file.</summary>
/// <param name="Name">Name as in Hugging Face checkpoints of the architecture, as in
/// <c>model.layers.0.self_attn.q_proj.weight</c>.</param>
/// <param name="Tensor">A contiguous view of the parameter, or of the rows of a fused parameter; the model owns
/// it.</param>
public readonly record struct StoredTensor(string Name, Tensor Tensor)
{
    /// <summary>How the rows of the file are ordered; null for as in the tensor.</summary>
    internal RowOrder? Order { get; init; }
}

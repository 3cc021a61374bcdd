using S2ILGPU.Tokenizers;

namespace S2ILGPU.Models;

/// <summary>A model with its tokenizer, checked against each other: what generating and measuring need.</summary>
/// <remarks>Dispose it before the engine.</remarks>
public sealed class PretrainedModel : IDisposable
{
    internal PretrainedModel(TransformerModel model, BytePairTokenizer tokenizer, IReadOnlyList<int> endTokens) =>
        (Model, Tokenizer, EndTokens) = (model, tokenizer, endTokens);

    /// <summary>The model; owned by this object.</summary>
    public TransformerModel Model { get; }

    /// <summary>The tokenizer. Its ids are ids of the model; the model may have more, which stand for no
    /// text.</summary>
    public BytePairTokenizer Tokenizer { get; }

    /// <summary>The tokens that end a text: those that <c>config.json</c> and <c>generation_config.json</c> name, and
    /// the tokenizer's end-of-text token; ascending.</summary>
    public IReadOnlyList<int> EndTokens { get; }

    /// <summary>Releases the model.</summary>
    public void Dispose() => Model.Dispose();
}

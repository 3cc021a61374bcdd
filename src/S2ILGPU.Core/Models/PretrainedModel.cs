using S2ILGPU.Tokenizers;

namespace S2ILGPU.Models;

/// <summary>A model with its tokenizer, checked against each other: what generating and measuring need.</summary>
/// <remarks>Dispose it before the engine.</remarks>
public sealed class PretrainedModel : IDisposable
{
    private readonly ModelDescription _description;

    internal PretrainedModel(TransformerModel model, ModelDescription description) =>
        (Model, _description) = (model, description);

    /// <summary>The model; owned by this object.</summary>
    public TransformerModel Model { get; }

    /// <summary>The tokenizer. Its ids are ids of the model; the model may have more, which stand for no
    /// text.</summary>
    public BytePairTokenizer Tokenizer => _description.Tokenizer;

    /// <summary>The tokens that end a text: those that <c>config.json</c> and <c>generation_config.json</c> name, and
    /// the tokenizer's end-of-text token; ascending.</summary>
    public IReadOnlyList<int> EndTokens => _description.EndTokens;

    /// <summary>The token between two documents, and before the first one: the tokenizer's end-of-text token, else the
    /// first of <see cref="EndTokens"/>; null where the model has none.</summary>
    public int? EndOfText => _description.EndOfText;

    /// <summary>How the model's authors draw from it.</summary>
    public GenerationDefaults Generation => _description.Generation;

    /// <summary>Releases the model.</summary>
    public void Dispose() => Model.Dispose();
}

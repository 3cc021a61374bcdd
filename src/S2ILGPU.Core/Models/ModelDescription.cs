using S2ILGPU.Storage;
using S2ILGPU.Tokenizers;

namespace S2ILGPU.Models;

/// <summary>A model folder without its weights, each part checked against the others.</summary>
/// <param name="Config">The configuration.</param>
/// <param name="Tokenizer">The tokenizer, with at most as many tokens as the model.</param>
/// <param name="EndTokens">Tokens that end a text, ascending.</param>
/// <param name="Generation">How the model's authors draw from it.</param>
internal sealed record ModelDescription(TransformerConfig Config, BytePairTokenizer Tokenizer,
    IReadOnlyList<int> EndTokens, GenerationDefaults Generation)
{
    /// <summary>The token between two documents; null where the model has none.</summary>
    public int? EndOfText => Tokenizer.EndOfText ?? (EndTokens is [var first, ..] ? first : null);

    /// <summary>Reads the folder of a model.</summary>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or the tokenizer has more tokens than the
    /// model.</exception>
    public static ModelDescription Read(string folder)
    {
        var tokenizer = ModelFolder.LoadTokenizer(folder);
        string path = ModelFolder.PathOf(folder, ModelFolder.Config);
        var config = TransformerConfigFile.Read(path);
        if (tokenizer.VocabularySize > config.VocabularySize)
            throw new InvalidDataException(
                $"{folder}: {ModelFolder.Tokenizer} has {tokenizer.VocabularySize} tokens, more than the "
                + $"{config.VocabularySize} of the model: they do not belong together");
        int[] configured = JsonValue.Read(path, "a configuration", TransformerConfigFile.MaxBytes,
            GenerationConfigFile.ReadEndTokens);
        var (generation, more) = GenerationConfigFile.Read(folder);
        // Ids beyond the vocabulary, and the -1 that stands for none, are never drawn and so need no refusal.
        var ids = configured.Concat(more).Where(id => id >= 0 && id < tokenizer.VocabularySize);
        if (tokenizer.EndOfText is { } endOfText)
            ids = ids.Append(endOfText);
        return new(config, tokenizer, [.. ids.Distinct().Order()], generation);
    }
}

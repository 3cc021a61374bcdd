using S2ILGPU.Storage;
using S2ILGPU.Tokenizers;

namespace S2ILGPU.Models;

/// <summary>A model folder without its weights, each part checked against the others.</summary>
/// <param name="Config">The configuration.</param>
/// <param name="Tokenizer">The tokenizer, with at most as many tokens as the model.</param>
/// <param name="EndTokens">Tokens that end a text, ascending.</param>
internal sealed record ModelDescription(TransformerConfig Config, BytePairTokenizer Tokenizer,
    IReadOnlyList<int> EndTokens)
{
    private const string EndTokenKey = "eos_token_id";

    /// <summary>Reads the folder of a model.</summary>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, or the tokenizer has more tokens than the
    /// model.</exception>
    public static ModelDescription Read(string folder)
    {
        var tokenizer = ModelFolder.LoadTokenizer(folder);
        var config = TransformerConfigFile.Read(ModelFolder.PathOf(folder, ModelFolder.Config));
        return tokenizer.VocabularySize <= config.VocabularySize
            ? new(config, tokenizer, ReadEndTokens(folder, tokenizer))
            : throw new InvalidDataException(
                $"{folder}: {ModelFolder.Tokenizer} has {tokenizer.VocabularySize} tokens, more than the "
                + $"{config.VocabularySize} of the model: they do not belong together");
    }

    // Ids beyond the vocabulary, and the -1 that stands for none, are never drawn and so need no refusal.
    private static int[] ReadEndTokens(string folder, BytePairTokenizer tokenizer)
    {
        var ids = new SortedSet<int>();
        if (tokenizer.EndOfText is { } endOfText)
            ids.Add(endOfText);
        foreach (string name in (ReadOnlySpan<string>)[ModelFolder.Config, ModelFolder.GenerationConfig])
            if (ModelFolder.PathOf(folder, name) is var path && FileKinds.Of(path) is not FileKind.Missing)
                ids.UnionWith(JsonValue.Read<int[]>(path, "a configuration", TransformerConfigFile.MaxBytes,
                    root => root.Find(EndTokenKey) switch
                    {
                        null => [],
                        { IsArray: true } list => [.. list.Items().Select(id => id.Integer())],
                        { } one => [one.Integer()],
                    }));
        return [.. ids.Where(id => id >= 0 && id < tokenizer.VocabularySize)];
    }
}

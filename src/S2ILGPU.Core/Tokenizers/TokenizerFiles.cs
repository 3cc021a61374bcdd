namespace S2ILGPU.Tokenizers;

/// <summary>The files of tokenizers in the folders of models.</summary>
internal static class TokenizerFiles
{
    private const string Json = "tokenizer.json", SentencePiece = "tokenizer.model";

    /// <summary>The file to read: <c>tokenizer.json</c>, or a <c>.tiktoken</c> file where there is none.</summary>
    /// <param name="folder">The model's folder; must be there.</param>
    /// <returns>Its path, also where it does not exist.</returns>
    /// <exception cref="InvalidDataException">The folder has several, or only a file that is not read.</exception>
    public static string Find(string folder)
    {
        string json = Path.Combine(folder, Json), model = Path.Combine(folder, SentencePiece);
        if (File.Exists(json))
            return json;
        string[] ranks = Directory.GetFiles(folder, "*" + TiktokenReader.FileEnding);
        if (ranks.Length > 1)
            throw new InvalidDataException($"{folder}: has {ranks.Length} files *{TiktokenReader.FileEnding}");
        if (ranks.Length == 0 && File.Exists(model))
            throw new InvalidDataException($"{model}: files of SentencePiece are not read; the folder needs the "
                + $"{Json} of the model, or one that Hugging Face's transformers converts");
        return ranks.Length == 1 ? ranks[0] : json;
    }

    /// <summary>Reads a file by its kind.</summary>
    public static BytePairVocabulary Read(string path) => path.EndsWith(TiktokenReader.FileEnding)
        ? TiktokenReader.Read(path) : TokenizerJsonReader.Read(path);
}

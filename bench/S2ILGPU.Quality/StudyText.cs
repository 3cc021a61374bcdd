using S2ILGPU.Cli.DotNetDocumentation;
using S2ILGPU.Tokenizers;

namespace S2ILGPU.Quality;

/// <summary>The text of the study, the same for every plan and seed.</summary>
/// <param name="Tokenizer">Its tokenizer, trained on the text to learn from.</param>
/// <param name="Training">Text to learn from.</param>
/// <param name="Validation">Text to measure with.</param>
/// <param name="Description">What was read.</param>
internal sealed record StudyText(BytePairTokenizer Tokenizer, TokenDataset Training, TokenDataset Validation,
    string Description)
{
    /// <summary>Reads files, or the documentation of .NET where none are named.</summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="InvalidDataException">There is no text.</exception>
    public static StudyText Read(IReadOnlyList<string> paths, StudySettings settings)
    {
        var corpus = ReferencePacks.ReadOr(paths, settings.CorpusBytes);
        var (training, validation) = corpus.Split();
        var tokenizer = BytePairTrainer.Train(training, settings.VocabularySize);
        string source = paths.Count == 0 ? "the .NET reference documentation, " : "";
        return new StudyText(tokenizer, TokenDataset.Create(tokenizer, training),
            TokenDataset.Create(tokenizer, validation), source + corpus);
    }
}

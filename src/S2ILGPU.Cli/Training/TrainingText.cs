using System.Diagnostics;
using System.Globalization;
using S2ILGPU.Cli.DotNetDocumentation;
using S2ILGPU.Corpora;
using S2ILGPU.Models;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;

namespace S2ILGPU.Cli.Training;

/// <summary>The tokens of a run, read once for all ranks of this process.</summary>
/// <param name="output">What the user reads.</param>
internal sealed class TrainingText(TextWriter output)
{
    private readonly object _lock = new();
    private (BytePairTokenizer Tokenizer, TokenDataset Training, TokenDataset Validation)? _read;

    /// <summary>Reads the text, or takes what another rank has read.</summary>
    public (BytePairTokenizer Tokenizer, TokenDataset Training, TokenDataset Validation) Read(TrainingRequest request,
        TrainingOptions options)
    {
        lock (_lock)
            return _read ??= ReadAll(request, options);
    }

    private (BytePairTokenizer Tokenizer, TokenDataset Training, TokenDataset Validation) ReadAll(
        TrainingRequest request, TrainingOptions options)
    {
        long started = Stopwatch.GetTimestamp();
        var corpus = ReferencePacks.ReadOr(options.Data, options.CorpusBytes);
        output.WriteLine($"corpus     {corpus}");
        var (training, validation) = corpus.Split(options.Seed);
        var model = (request.IsResumed ? request.Folder : request.Checkpoint?.Folder) is { } folder
            ? ModelDescription.Read(folder) : null;
        var tokenizer = model?.Tokenizer ?? BytePairTrainer.Train(training, request.Preset.Model.VocabularySize);
        var (learned, measured) = (TokenDataset.Create(tokenizer, training, model?.EndOfText),
            TokenDataset.Create(tokenizer, validation, model?.EndOfText));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"tokens     {learned.TokenCount:#,0} to learn from, {measured.TokenCount:#,0} to validate, vocabulary "
            + $"{tokenizer.VocabularySize:#,0}, "
            + $"{(double)learned.ByteCount / learned.TokenCount:0.00} bytes/token "
                + $"({Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s)"));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"unigram    {learned.EntropyBitsPerByte:0.000} bits/byte: what a model that ignores all context would "
            + $"reach"));
        return (tokenizer, learned, measured);
    }
}

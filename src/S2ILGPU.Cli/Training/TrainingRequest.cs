using S2ILGPU.Models;
using S2ILGPU.Training;

namespace S2ILGPU.Cli.Training;

/// <summary>What the user asked <c>s2 train</c> for.</summary>
internal sealed record TrainingRequest
{
    public required string Folder { get; init; }

    public required bool IsResumed { get; init; }

    public required string Device { get; init; }

    public required TrainingPreset Preset { get; init; }

    public required string Attention { get; init; }

    public required IReadOnlyList<string> Data { get; init; }

    public int? Steps { get; init; }

    public int? Context { get; init; }

    public int? Batch { get; init; }

    public float? LearningRate { get; init; }

    public int Seed { get; init; }

    public bool Recompute { get; init; }

    /// <summary>The options of a new run: the preset's with what was asked for in their place.</summary>
    public TrainingOptions NewOptions() => (Preset.Options with
    {
        Data = [.. Data],
        Steps = Steps ?? Preset.Options.Steps,
        ContextTokens = Context ?? Preset.Options.ContextTokens,
        BatchSequences = Batch ?? Preset.Options.BatchSequences,
        LearningRate = LearningRate ?? Preset.Options.LearningRate,
        Seed = Seed,
        Recompute = Recompute,
    }).Validate();

    /// <summary>The model of a new run.</summary>
    /// <param name="options">The run's options.</param>
    /// <param name="vocabularySize">V of the tokenizer.</param>
    public TransformerConfig NewModel(TrainingOptions options, int vocabularySize) => (Preset.Model with
    {
        VocabularySize = vocabularySize,
        ContextTokens = Math.Max(options.ContextTokens, Preset.Model.ContextTokens),
        Attention = Preset.Attention(Attention),
    }).Validate();

    /// <summary>The default folder, or the first of its numbered siblings that holds no run yet, so that training again
    /// never overwrites a model.</summary>
    public static string UnusedFolder(string folder)
    {
        string candidate = folder;
        for (int n = 2; Directory.Exists(candidate); n++)
            candidate = $"{folder}-{n}";
        return candidate;
    }
}

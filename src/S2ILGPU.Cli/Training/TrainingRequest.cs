using System.Text.RegularExpressions;
using S2ILGPU.Models;
using S2ILGPU.Tensors;
using S2ILGPU.Training;

namespace S2ILGPU.Cli.Training;

/// <summary>What the user asked <c>s2 train</c> for.</summary>
internal sealed partial record TrainingRequest
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

    public int? Accumulation { get; init; }

    public float? LearningRate { get; init; }

    /// <summary>Element type of activations; null for the engine's own.</summary>
    public ElementType? Precision { get; init; }

    public int Seed { get; init; }

    public bool Recompute { get; init; }

    /// <summary>The options of a new run: the preset's with what was asked for in their place.</summary>
    public TrainingOptions NewOptions() => Checked(Preset.Options with
    {
        Data = FullPaths(Data),
        Steps = Steps ?? Preset.Options.Steps,
        ContextTokens = Context ?? Preset.Options.ContextTokens,
        BatchSequences = Batch ?? Preset.Options.BatchSequences,
        AccumulationSteps = Accumulation ?? Preset.Options.AccumulationSteps,
        LearningRate = LearningRate ?? Preset.Options.LearningRate,
        ActivationType = Precision,
        Seed = Seed,
        Recompute = Recompute,
    });

    /// <summary>The model of a new run.</summary>
    /// <param name="options">The run's options.</param>
    /// <param name="vocabularySize">V of the tokenizer.</param>
    public TransformerConfig NewModel(TrainingOptions options, int vocabularySize) => (Preset.Model with
    {
        VocabularySize = vocabularySize,
        ContextTokens = Math.Max(options.ContextTokens, Preset.Model.ContextTokens),
        Attention = Preset.Attention(Attention),
    }).Validate();

    /// <summary>The options of a saved run with what may be changed on resuming.</summary>
    public TrainingOptions Continued(TrainingOptions saved) => Checked(saved with
    {
        Data = Data.Count > 0 ? FullPaths(Data) : saved.Data,
        Steps = Steps ?? saved.Steps,
        LearningRate = LearningRate ?? saved.LearningRate,
    });

    // The command line has other names than the fields.
    private static TrainingOptions Checked(TrainingOptions options)
    {
        try
        {
            return options.Validate();
        }
        catch (ArgumentException e)
        {
            throw new ArgumentException(FieldName().Replace(e.Message, match => match.Value switch
            {
                nameof(TrainingOptions.BatchSequences) => "--batch",
                nameof(TrainingOptions.ContextTokens) => "--context",
                nameof(TrainingOptions.AccumulationSteps) => "--accumulate",
                nameof(TrainingOptions.Steps) => "--steps",
                nameof(TrainingOptions.LearningRate) => "--learning-rate",
                _ => match.Value,
            }), e);
        }
    }

    [GeneratedRegex(@"\b[A-Z][A-Za-z]+\b")]
    private static partial Regex FieldName();

    // Full paths: a run may be resumed from another directory.
    private static string[] FullPaths(IEnumerable<string> paths) =>
        [.. paths.Select(path => path.Length > 0 ? Path.GetFullPath(path)
            : throw new ArgumentException("--data: a path is empty"))];
}

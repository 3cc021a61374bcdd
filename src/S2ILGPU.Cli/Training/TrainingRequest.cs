using System.Text.RegularExpressions;
using S2ILGPU.Distributed;
using S2ILGPU.Models;
using S2ILGPU.Tensors;
using S2ILGPU.Training;

namespace S2ILGPU.Cli.Training;

/// <summary>What the user asked <c>s2 train</c> for.</summary>
internal sealed partial record TrainingRequest
{
    public required string Folder { get; init; }

    public required bool IsResumed { get; init; }

    /// <summary>Names of the devices; ranks take them in turn.</summary>
    public required IReadOnlyList<string> Devices { get; init; }

    /// <summary>Whether products of fp32 matrices may be rounded to TF32 on devices that can.</summary>
    public bool AllowTf32 { get; init; }

    public required TrainingPreset Preset { get; init; }

    /// <summary>What a new run begins with; null for random weights of the preset's shape.</summary>
    public Checkpoint? Checkpoint { get; init; }

    /// <summary>The attention of the layers; null for that of the checkpoint.</summary>
    public required string? Attention { get; init; }

    public required IReadOnlyList<string> Data { get; init; }

    /// <summary>Ranks to start as threads; null for one per device.</summary>
    public int? Ranks { get; init; }

    /// <summary>Groups of ranks that share the micro-batches of a step; null for all that there are.</summary>
    public int? DataParallel { get; init; }

    /// <summary>Ranks that share each sequence; null for 1.</summary>
    public int? ContextParallel { get; init; }

    /// <summary>What ranks that share a sequence send each other.</summary>
    public ContextScheme ContextScheme { get; init; }

    /// <summary>Ranks that share each layer; null for 1.</summary>
    public int? TensorParallel { get; init; }

    /// <summary>The longest that a rank waits for another one.</summary>
    public required TimeSpan RankTimeout { get; init; }

    public int? Steps { get; init; }

    public int? Context { get; init; }

    public int? Batch { get; init; }

    public int? Accumulation { get; init; }

    public float? LearningRate { get; init; }

    /// <summary>Element type of activations; null for the engine's own.</summary>
    public ElementType? Precision { get; init; }

    public int Seed { get; init; }

    public bool Recompute { get; init; }

    private TrainingOptions Defaults => Checkpoint?.Options ?? Preset.Options;

    /// <summary>The options of a new run: the preset's, or those of fine-tuning, with what was asked for in their
    /// place.</summary>
    /// <param name="groups">Groups of ranks that share the micro-batches of a step.</param>
    public TrainingOptions NewOptions(int groups)
    {
        if (Checkpoint is { Config.ContextTokens: var most } && Context > most)
            throw new ArgumentException(
                $"--context must be at most {most} (the context of the checkpoint), got {Context}");
        var (batch, accumulation) = Shared(groups);
        return Checked(Defaults with
        {
            Data = FullPaths(Data),
            Steps = Steps ?? Defaults.Steps,
            ContextTokens = Context ?? Defaults.ContextTokens,
            BatchSequences = batch,
            AccumulationSteps = accumulation,
            LearningRate = LearningRate ?? Defaults.LearningRate,
            ActivationType = Precision,
            Seed = Seed,
            Recompute = Recompute,
        });
    }

    // Sequences and micro-batches: of a step that several groups share, each takes as many micro-batches. Where the
    // number of micro-batches was not asked for, sequences become micro-batches.
    private (int Batch, int Accumulation) Shared(int groups)
    {
        int batch = Batch ?? Defaults.BatchSequences,
            accumulation = Accumulation ?? Defaults.AccumulationSteps;
        if (accumulation % groups == 0)
            return (batch, accumulation);
        if (Accumulation is null && batch % groups == 0)
            return (batch / groups, accumulation * groups);
        throw new ArgumentException($"{groups} ranks cannot share a step of {accumulation} x {batch} sequences: "
            + (Accumulation is null ? $"--batch must be a multiple of {groups}"
                : $"--accumulate must be a multiple of {groups}"));
    }

    /// <summary>The model of a new run.</summary>
    /// <param name="options">The run's options.</param>
    /// <param name="vocabularySize">V of the tokenizer.</param>
    public TransformerConfig NewModel(TrainingOptions options, int vocabularySize) => (Preset.Model with
    {
        VocabularySize = vocabularySize,
        ContextTokens = Math.Max(options.ContextTokens, Preset.Model.ContextTokens),
        Attention = Preset.Attention(Attention!),
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

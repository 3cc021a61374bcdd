using System.Text.Json.Serialization;
using S2ILGPU.Corpora;
using S2ILGPU.Tensors;

namespace S2ILGPU.Training;

/// <summary>How a model is trained. An immutable value; defaults here and nowhere else.</summary>
public sealed record TrainingOptions
{
    /// <summary>Optimizer steps of the whole run.</summary>
    public int Steps { get; init; } = 1000;

    /// <summary>Sequences per micro-batch.</summary>
    public int BatchSequences { get; init; } = 4;

    /// <summary>N, tokens of a training sequence.</summary>
    public int ContextTokens { get; init; } = 1024;

    /// <summary>Micro-batches whose gradients are added before an optimizer step.</summary>
    public int AccumulationSteps { get; init; } = 1;

    /// <summary>Highest learning rate, reached after the warm-up.</summary>
    public float LearningRate { get; init; } = 1e-3f;

    /// <summary>Learning rate of the last step as a fraction of the highest.</summary>
    public float FinalLearningRateFraction { get; init; } = 0.1f;

    /// <summary>Steps over which the learning rate rises from zero; null takes 5 % of the steps.</summary>
    public int? WarmupSteps { get; init; }

    /// <summary>Decay of the first moment.</summary>
    public float Beta1 { get; init; } = 0.9f;

    /// <summary>Decay of the second moment.</summary>
    public float Beta2 { get; init; } = 0.95f;

    /// <summary>Added to the root of the second moment.</summary>
    public float Epsilon { get; init; } = 1e-8f;

    /// <summary>Decoupled weight decay of matrices; vectors (norms) are not decayed.</summary>
    public float WeightDecay { get; init; } = 0.1f;

    /// <summary>The gradient is scaled down to this L2 norm when it is longer; 0 switches clipping off.</summary>
    public float ClipNorm { get; init; } = 1f;

    /// <summary>Seed of the initial weights and of the order of the data.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Steps between validations; 0 validates at the end only.</summary>
    public int ValidationInterval { get; init; } = 50;

    /// <summary>The most validation sequences that one validation reads.</summary>
    public int ValidationSequences { get; init; } = 16;

    /// <summary>Steps between checkpoints; 0 writes one at the end only.</summary>
    public int CheckpointInterval { get; init; } = 100;

    /// <summary>Recompute each layer's activations during the backward pass instead of keeping them.</summary>
    public bool Recompute { get; init; }

    /// <summary>Element type of activations and their gradients, as the model was created with; null for the engine's
    /// float type. Kept so that a run is resumed in the precision that it began with.</summary>
    [JsonConverter(typeof(JsonStringEnumConverter<ElementType>))]
    public ElementType? ActivationType { get; init; }

    /// <summary>Files, folders and patterns of the text; empty for the documentation of .NET. Kept so that a run can be
    /// resumed without naming them again.</summary>
    public IReadOnlyList<string> Data { get; init; } = [];

    /// <summary>The most bytes of text to read.</summary>
    public int CorpusBytes { get; init; } = Corpus.DefaultMaxBytes;

    /// <summary>Tokens that one optimizer step learns from.</summary>
    [JsonIgnore]
    public long TokensPerStep => (long)BatchSequences * ContextTokens * AccumulationSteps;

    /// <summary>Checks every value.</summary>
    /// <returns>The options themselves.</returns>
    /// <exception cref="ArgumentException">A value is out of its range; the message names it.</exception>
    public TrainingOptions Validate()
    {
        AtLeast(nameof(Steps), Steps, 1);
        AtLeast(nameof(BatchSequences), BatchSequences, 1);
        AtLeast(nameof(ContextTokens), ContextTokens, 2);
        AtLeast(nameof(AccumulationSteps), AccumulationSteps, 1);
        AtLeast(nameof(WarmupSteps), WarmupSteps ?? 0, 0);
        AtLeast(nameof(ValidationInterval), ValidationInterval, 0);
        AtLeast(nameof(ValidationSequences), ValidationSequences, 1);
        AtLeast(nameof(CheckpointInterval), CheckpointInterval, 0);
        AtLeast(nameof(CorpusBytes), CorpusBytes, 1);
        ArgumentNullException.ThrowIfNull(Data);
        if (ActivationType is not (null or ElementType.Float32 or ElementType.BFloat16))
            throw new ArgumentException(
                $"{nameof(ActivationType)} must be {ElementType.Float32} or {ElementType.BFloat16}, got "
                + $"{ActivationType}");
        if ((long)BatchSequences * (ContextTokens + 1L) > Array.MaxLength)
            throw new ArgumentException(
                $"{nameof(BatchSequences)} {BatchSequences} times {nameof(ContextTokens)} {ContextTokens} is too "
                + $"large: a micro-batch can have at most {Array.MaxLength} tokens");
        if (Math.BigMul((ulong)BatchSequences * (ulong)ContextTokens * (ulong)AccumulationSteps, (ulong)Steps, out _)
            > 0)
            throw new ArgumentException(
                $"{nameof(Steps)} {Steps} times {nameof(AccumulationSteps)} {AccumulationSteps} times "
                + $"{nameof(BatchSequences)} {BatchSequences} times {nameof(ContextTokens)} {ContextTokens} is more "
                + "tokens than can be counted");
        Within(nameof(LearningRate), LearningRate, 0, 10);
        Within(nameof(FinalLearningRateFraction), FinalLearningRateFraction, 0, 1);
        Within(nameof(Beta1), Beta1, 0, 0.999999f);
        Within(nameof(Beta2), Beta2, 0, 0.999999f);
        Within(nameof(Epsilon), Epsilon, 1e-20f, 1);
        Within(nameof(WeightDecay), WeightDecay, 0, 10);
        Within(nameof(ClipNorm), ClipNorm, 0, float.MaxValue);
        return this;
    }

    private static void AtLeast(string name, int value, int least)
    {
        if (value < least)
            throw new ArgumentException($"{name} must be at least {least}, got {value}");
    }

    private static void Within(string name, float value, float least, float most)
    {
        if (!(value >= least && value <= most))
            throw new ArgumentException($"{name} must be {least} to {most}, got {value}");
    }
}

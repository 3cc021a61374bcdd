using S2ILGPU.Models;
using S2ILGPU.Patterns;
using S2ILGPU.Training;

namespace S2ILGPU.Cli.Training;

/// <summary>A named set of defaults for <c>s2 train</c>: shape of the model, vocabulary, schedule.</summary>
/// <param name="Name">Name on the command line.</param>
/// <param name="Model">Shape of the model, its attention apart.</param>
/// <param name="Sparse">Attention of the sparse layers.</param>
/// <param name="DenseLayers">Dense layers at the bottom of a hybrid model.</param>
/// <param name="Options">How to train.</param>
internal sealed record TrainingPreset(string Name, TransformerConfig Model, AttentionConfig Sparse, int DenseLayers,
    TrainingOptions Options)
{
    // Slides by query head: with as many query heads as the stride every residue is covered, so the union of the heads
    // is the whole context.
    private static readonly StripeOptions s_byQueryHead = new() { SlideByQueryHead = true };

    /// <summary>All presets; the first is the smallest, <c>default</c> is the one that a fresh machine trains in
    /// minutes, those named after a number of parameters are for GPUs.</summary>
    public static IReadOnlyList<TrainingPreset> All { get; } =
    [
        new("tiny",
            new TransformerConfig
            {
                VocabularySize = 384,
                Dim = 32,
                Layers = 2,
                QueryHeads = 4,
                KeyValueHeads = 2,
                HeadDim = 16,
                FeedForwardDim = 96,
                ContextTokens = 128,
            },
            new LocalStrideAttention
            {
                BlockTokens = 16,
                LocalBlocks = 2,
                VerticalStride = 4,
                Stripes = s_byQueryHead,
            },
            DenseLayers: 1,
            new TrainingOptions
            {
                Steps = 60,
                BatchSequences = 4,
                ContextTokens = 128,
                LearningRate = 5e-3f,
                ValidationInterval = 20,
                CheckpointInterval = 20,
                CorpusBytes = 400_000,
            }),
        new("default",
            new TransformerConfig
            {
                VocabularySize = 4096,
                Dim = 128,
                Layers = 4,
                QueryHeads = 8,
                KeyValueHeads = 4,
                HeadDim = 16,
                FeedForwardDim = 352,
                ContextTokens = 1024,
            },
            new LocalStrideAttention
            {
                BlockTokens = 16,
                LocalBlocks = 8,
                VerticalStride = 8,
                Stripes = s_byQueryHead,
            },
            DenseLayers: 1,
            new TrainingOptions
            {
                Steps = 900,
                BatchSequences = 1,
                ContextTokens = 1024,
                LearningRate = 4e-3f,
                ValidationInterval = 200,
                CheckpointInterval = 200,
            }),
        new("base",
            new TransformerConfig
            {
                VocabularySize = 4096,
                Dim = 256,
                Layers = 4,
                QueryHeads = 8,
                KeyValueHeads = 4,
                HeadDim = 32,
                FeedForwardDim = 704,
                ContextTokens = 1024,
            },
            new LocalStrideAttention
            {
                BlockTokens = 16,
                LocalBlocks = 8,
                VerticalStride = 8,
                Stripes = s_byQueryHead,
            },
            DenseLayers: 1,
            new TrainingOptions
            {
                Steps = 600,
                BatchSequences = 2,
                ContextTokens = 1024,
                LearningRate = 3e-3f,
                ValidationInterval = 100,
                CheckpointInterval = 200,
            }),
        new("small",
            new TransformerConfig
            {
                VocabularySize = 8192,
                Dim = 512,
                Layers = 8,
                QueryHeads = 8,
                KeyValueHeads = 4,
                HeadDim = 64,
                FeedForwardDim = 1408,
                ContextTokens = 4096,
            },
            new LocalStrideAttention
            {
                BlockTokens = 32,
                LocalBlocks = 8,
                VerticalStride = 8,
                Stripes = s_byQueryHead,
            },
            DenseLayers: 2,
            new TrainingOptions
            {
                Steps = 5000,
                BatchSequences = 4,
                ContextTokens = 4096,
                LearningRate = 1e-3f,
                ValidationInterval = 100,
                CheckpointInterval = 100,
                CorpusBytes = 60_000_000,
            }),
        .. LargePresets.All,
    ];

    /// <summary>The preset of a name.</summary>
    /// <exception cref="ArgumentException">There is none of that name; the message lists those that there
    /// are.</exception>
    public static TrainingPreset Find(string name) => All.FirstOrDefault(p => p.Name == name)
        ?? throw new ArgumentException(
        $"unknown preset '{name}'; there are {string.Join(", ", All.Select(p => p.Name))}");

    /// <summary>The attention of every layer.</summary>
    /// <param name="kind">dense, s2 or hybrid, or a plan as <see cref="AttentionPlan.Parse"/> reads it.</param>
    /// <exception cref="ArgumentException">The kind is none of these.</exception>
    public AttentionPlan Attention(string kind) => kind switch
    {
        "dense" => new AttentionPlan(new DenseAttention { BlockTokens = Sparse.BlockTokens }),
        "s2" => new AttentionPlan(Sparse),
        "hybrid" => AttentionPlan.FirstDense(Model.Layers, DenseLayers, Sparse),
        _ => AttentionPlan.Parse(kind, Model.Layers),
    };
}

using S2ILGPU.Corpora;
using S2ILGPU.Models;
using S2ILGPU.Patterns;
using S2ILGPU.Training;

namespace S2ILGPU.Cli.Training;

/// <summary>Presets for GPUs, named after their number of parameters: the shape of Llama with heads of 64 or 128, about
/// 20 tokens of training per parameter, and S2 attention in all but the first layers.</summary>
/// <remarks>The stride is the number of query heads, and heads slide one by one, so together they read the whole
/// context, each one of H remote blocks. The cache of a KV head holds what its group reads: 1 of Hkv remote blocks.
/// </remarks>
internal static class LargePresets
{
    private const int BlockTokens = 64;

    /// <summary>From the smallest to the largest.</summary>
    public static IReadOnlyList<TrainingPreset> All { get; } =
    [
        Create("10m", Shape(vocabulary: 8192, dim: 256, layers: 12, queryHeads: 4, keyValueHeads: 2, headDim: 64,
            feedForward: 640, context: 4096), localBlocks: 8, denseLayers: 1,
            new TrainingOptions { Steps = 6000, BatchSequences = 8, LearningRate = 1e-3f }),
        Create("30m", Shape(vocabulary: 16384, dim: 384, layers: 16, queryHeads: 6, keyValueHeads: 2, headDim: 64,
            feedForward: 960, context: 8192), localBlocks: 8, denseLayers: 1,
            new TrainingOptions { Steps = 9000, BatchSequences = 8, LearningRate = 8e-4f }),
        Create("100m", Shape(vocabulary: 32768, dim: 768, layers: 12, queryHeads: 12, keyValueHeads: 4, headDim: 64,
            feedForward: 2048, context: 8192), localBlocks: 8, denseLayers: 1,
            new TrainingOptions { Steps = 7500, BatchSequences = 8, AccumulationSteps = 4, LearningRate = 6e-4f }),
        Create("300m", Shape(vocabulary: 32768, dim: 1024, layers: 24, queryHeads: 16, keyValueHeads: 4, headDim: 64,
            feedForward: 2816, context: 16384), localBlocks: 16, denseLayers: 2,
            new TrainingOptions
            {
                Steps = 11500,
                BatchSequences = 4,
                AccumulationSteps = 8,
                LearningRate = 4e-4f,
                Recompute = true,
            }),
        Create("1b", Shape(vocabulary: 32768, dim: 2048, layers: 20, queryHeads: 16, keyValueHeads: 4, headDim: 128,
            feedForward: 5888, context: 32768), localBlocks: 16, denseLayers: 2,
            new TrainingOptions
            {
                Steps = 19000,
                BatchSequences = 2,
                AccumulationSteps = 16,
                LearningRate = 3e-4f,
                Recompute = true,
            }),
    ];

    private static TransformerConfig Shape(int vocabulary, int dim, int layers, int queryHeads, int keyValueHeads,
        int headDim, int feedForward, int context) => new()
        {
            VocabularySize = vocabulary,
            Dim = dim,
            Layers = layers,
            QueryHeads = queryHeads,
            KeyValueHeads = keyValueHeads,
            HeadDim = headDim,
            FeedForwardDim = feedForward,
            ContextTokens = context,
            RopeTheta = context > 8192 ? 500_000 : 10_000, // angles of neighbouring far positions stay apart
        };

    private static TrainingPreset Create(string name, TransformerConfig model, int localBlocks, int denseLayers,
        TrainingOptions options) => new(name, model,
            new LocalStrideAttention
            {
                BlockTokens = BlockTokens,
                LocalBlocks = localBlocks,
                VerticalStride = model.QueryHeads,
                Stripes = new StripeOptions { SlideByQueryHead = true },
            },
            denseLayers,
            options with { ContextTokens = model.ContextTokens, ValidationInterval = 250, CheckpointInterval = 500,
                CorpusBytes = Corpus.LargestMaxBytes });
}

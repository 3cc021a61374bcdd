using S2ILGPU.Corpora;
using S2ILGPU.Models;
using S2ILGPU.Patterns;
using S2ILGPU.Tokenizers;
using S2ILGPU.Training;

namespace S2ILGPU.TestSupport;

/// <summary>Two training steps of a model so small that the emulated device takes seconds for them.</summary>
public static class SmallTraining
{
    /// <summary>One sparse layer, whose heads and tokens two ranks can share.</summary>
    public static TransformerConfig Config { get; } = new()
    {
        VocabularySize = 260,
        Dim = 16,
        Layers = 1,
        QueryHeads = 2,
        KeyValueHeads = 2,
        HeadDim = 8,
        FeedForwardDim = 16,
        ContextTokens = 64,
        Attention = new AttentionPlan(
            new LocalStrideAttention { BlockTokens = 16, LocalBlocks = 1, VerticalStride = 2 }),
    };

    /// <summary>Steps of two passes each.</summary>
    public static TrainingOptions Options { get; } = new()
    {
        Steps = 2,
        BatchSequences = 1,
        ContextTokens = 64,
        AccumulationSteps = 2,
        LearningRate = 1e-2f,
        WarmupSteps = 0,
        ValidationSequences = 1,
    };

    /// <summary>A random text of four letters.</summary>
    public static TokenDataset Data(int seed, int characters = 900)
    {
        var random = new Random(seed);
        var corpus = Corpus.FromText(
            string.Concat(Enumerable.Range(0, characters).Select(_ => (char)random.Next('a', 'e'))));
        return TokenDataset.Create(BytePairTrainer.Train(corpus, Config.VocabularySize), corpus);
    }
}

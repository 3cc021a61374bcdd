using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Patterns;

namespace S2ILGPU.Core.Tests.Models;

/// <summary>Configurations small enough for the scalar reference, with every kind of attention.</summary>
internal static class TinyModels
{
    public static readonly LocalStrideAttention Sparse =
        new() { BlockTokens = 16, LocalBlocks = 1, VerticalStride = 2 };

    public static readonly LocalStrideAttention ByQueryHead = Sparse with
    {
        VerticalStride = 3,
        Stripes = new StripeOptions { SlideByQueryHead = true, HeadOffset = 1 },
    };

    public static readonly DenseAttention Dense = new() { BlockTokens = 16 };

    public static readonly SlidingWindowAttention Window = new() { BlockTokens = 16, WindowBlocks = 2, SinkBlocks = 1 };

    public static TransformerConfig Config(params AttentionConfig[] attention) => new()
    {
        VocabularySize = 11,
        Dim = 12,
        Layers = attention.Length,
        QueryHeads = 4,
        KeyValueHeads = 2,
        HeadDim = 8,
        FeedForwardDim = 10,
        ContextTokens = 160,
        RopeTheta = 100,
        Attention = new AttentionPlan(attention),
    };

    /// <summary>A model whose weights are large enough for attention and norms to matter.</summary>
    public static TransformerModel Create(IEngine engine, TransformerConfig config, Random random)
    {
        var model = new TransformerModel(engine, config, seed: null);
        foreach (var stored in model.StoredTensors)
        {
            var values = new float[stored.Tensor.Count];
            bool isNorm = stored.Tensor.Shape.Rank == 1;
            for (int i = 0; i < values.Length; i++)
                values[i] = (float)(random.NextDouble() * 2 - 1) * (isNorm ? 0.3f : 0.7f) + (isNorm ? 1 : 0);
            engine.Upload(values, stored.Tensor);
        }
        return model;
    }

    public static int[] Tokens(Random random, int count, int vocabulary)
    {
        var tokens = new int[count];
        for (int i = 0; i < count; i++)
            tokens[i] = random.Next(vocabulary);
        return tokens;
    }
}

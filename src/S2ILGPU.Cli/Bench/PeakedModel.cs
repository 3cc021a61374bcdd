using S2ILGPU.Engines;
using S2ILGPU.Models;

namespace S2ILGPU.Cli.Bench;

/// <summary>A dense model with random weights whose attention is peaked, so that there is something to leave
/// out.</summary>
/// <remarks>All embeddings have a part in common, and the queries of a head have the weights of its keys: the score of
/// two tokens is large where they are near, because of the rotation by position, and random beyond. A factor on both
/// weights makes the peaks as narrow as wanted; it differs from head to head.</remarks>
internal static class PeakedModel
{
    /// <summary>In words, for the report.</summary>
    public const string Description = "random weights; queries have the weights of keys, so that three of four heads "
        + "look at near tokens";

    private const int Block = 64;
    private const float Common = 0.02f;

    // Of keys; a score grows with its square.
    private const float LeastSharpness = 3, MostSharpness = 12;

    /// <summary>Creates a model.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="contextTokens">Tokens of its context.</param>
    public static TransformerModel Create(IEngine engine, int contextTokens)
    {
        var model = new TransformerModel(engine, new TransformerConfig
        {
            VocabularySize = 512,
            Dim = 256,
            Layers = 2,
            QueryHeads = 4,
            KeyValueHeads = 4,
            HeadDim = 64,
            FeedForwardDim = 512,
            ContextTokens = contextTokens,
            Attention = new AttentionPlan(new DenseAttention { BlockTokens = Block }),
        });
        var config = model.Config;
        var tensors = model.StoredTensors.ToDictionary(stored => stored.Name, stored => stored.Tensor);
        foreach (var (name, tensor) in tensors)
            if (name.EndsWith("embed_tokens.weight", StringComparison.Ordinal))
                engine.Upload([.. engine.ToArray(tensor).Select(x => x + Common)], tensor);
            else if (name.EndsWith("k_proj.weight", StringComparison.Ordinal))
            {
                float[] keys = engine.ToArray(tensor);
                int head = config.HeadDim * config.Dim, group = config.QueryHeads / config.KeyValueHeads;
                for (int n = 0; n < keys.Length; n++)
                    keys[n] *= LeastSharpness + (MostSharpness - LeastSharpness) * (n / head)
                        / Math.Max(1, config.KeyValueHeads - 1);
                engine.Upload(keys, tensor);
                engine.Upload([.. Enumerable.Range(0, config.QueryHeads)
                    .SelectMany(h => keys.Skip(h / group * head).Take(head))],
                    tensors[name.Replace("k_proj", "q_proj", StringComparison.Ordinal)]);
            }
        return model;
    }
}

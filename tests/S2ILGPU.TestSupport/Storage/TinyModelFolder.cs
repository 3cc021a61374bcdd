using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Tokenizers;

namespace S2ILGPU.TestSupport;

/// <summary>A model folder with random weights, large enough for texts to vary.</summary>
public static class TinyModelFolder
{
    /// <summary>A layer of dense and one of sparse attention.</summary>
    public static TransformerConfig Config { get; } = new()
    {
        VocabularySize = 270,
        Dim = 24,
        Layers = 2,
        QueryHeads = 4,
        KeyValueHeads = 2,
        HeadDim = 8,
        FeedForwardDim = 28,
        ContextTokens = 160,
        Attention = new AttentionPlan([new DenseAttention { BlockTokens = 16 },
            new LocalStrideAttention { BlockTokens = 16, LocalBlocks = 1, VerticalStride = 2 }]),
    };

    /// <summary>Writes the folder.</summary>
    /// <param name="folder">Its path.</param>
    /// <param name="engine">Holds the weights meanwhile.</param>
    /// <param name="config">The model; null for <see cref="Config"/>.</param>
    /// <param name="random">Draws the weights; null for the seed of the run.</param>
    public static void Save(string folder, IEngine engine, TransformerConfig? config = null, Random? random = null)
    {
        config ??= Config;
        var trainer = new BytePairTrainer();
        trainer.Add("Line 5 of some text to learn from, user: and assistant: with more lines of text"u8);
        // Without an end-of-text token, so that no text ends early by chance.
        var tokenizer = trainer.Build(config.VocabularySize, specialTokens: []);
        using var model = new TransformerModel(engine, config with { VocabularySize = tokenizer.VocabularySize });
        random ??= Seeds.NewRandom();
        foreach (var (_, tensor) in model.StoredTensors)
            engine.Upload([.. Enumerable.Range(0, (int)tensor.Count)
                .Select(_ => tensor.Shape.Rank == 1 ? 1 : random.NextSingle() * 1.4f - 0.7f)], tensor);
        ModelFolder.Save(folder, model, tokenizer);
    }
}

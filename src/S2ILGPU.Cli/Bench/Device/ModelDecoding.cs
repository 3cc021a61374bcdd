using System.Diagnostics;
using S2ILGPU.Engines;
using S2ILGPU.Inference;
using S2ILGPU.Layouts;
using S2ILGPU.Models;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>A model that continues a batch of random texts.</summary>
internal sealed class ModelDecoding : IModelWork
{
    private readonly TransformerModel _model;
    private readonly TransformerDecoder _decoder;
    private readonly int[] _tokens, _ones;
    private readonly float[] _logits;

    /// <summary>Reads the texts.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="size">The model; its tokens are those of the longest sequence after the last step.</param>
    /// <param name="attention">Attention of its layers.</param>
    /// <param name="isVaried">Whether sequences have different lengths, from half the tokens up.</param>
    /// <param name="steps">The most steps that will be done.</param>
    public ModelDecoding(IEngine engine, ModelSize size, string attention, bool isVaried, int steps)
    {
        int longest = size.Tokens - steps;
        if (longest < 2)
            throw new ArgumentException($"{size.Tokens} tokens are not enough for {steps} steps of decoding");
        var config = (size.Preset.Model with { Attention = size.Preset.Attention(attention),
            ContextTokens = size.Tokens }).Validate();
        _model = new TransformerModel(engine, config, matrixType: size.Activations, activationType: size.Activations);
        _decoder = new TransformerDecoder(_model, new KeyValueCacheOptions { Sequences = size.Sequences,
            MaxTokens = size.Tokens, ElementType = size.Activations });
        int[] lengths = [.. Enumerable.Range(0, size.Sequences).Select(s => isVaried
            ? longest - longest / 2 * s / Math.Max(1, size.Sequences - 1) : longest)];
        var random = new Random(1);
        _tokens = [.. Enumerable.Range(0, size.Sequences).Select(_ => random.Next(config.VocabularySize))];
        _ones = [.. Enumerable.Repeat(1, size.Sequences)];
        _logits = new float[size.Sequences * config.VocabularySize];
        int[] texts = [.. Enumerable.Range(0, size.Sequences * longest).Select(_ =>
            random.Next(config.VocabularySize))];
        _decoder.Append(texts, lengths, _logits);
        long weights = _model.Parameters.Sum(p => p.Value.Count * p.Value.ElementType.SizeBytes());
        long cache = Enumerable.Range(0, config.Layers).Sum(layer => lengths.Sum(tokens =>
            KeptRows(_model.Pattern(layer), tokens + 1)));
        Bytes = weights + cache * 2 * config.HeadDim * (size.Activations ?? engine.FloatType).SizeBytes();
    }

    /// <summary>Bytes of all weights and of the kept keys and values of the first step; later steps read a little
    /// more.</summary>
    public long Bytes { get; }

    public double[] Step()
    {
        long began = Stopwatch.GetTimestamp();
        _decoder.Append(_tokens, _ones, _logits); // downloads the logits, so nothing runs on
        return [Stopwatch.GetElapsedTime(began).TotalSeconds];
    }

    public void Dispose()
    {
        _decoder.Dispose();
        _model.Dispose();
    }

    // Keys of the blocks that the last row keeps, over all KV heads: query heads of a group share what they read.
    private static long KeptRows(AttentionPattern pattern, int tokens)
    {
        var layout = BlockLayout.Create(pattern, tokens, queryTokens: 1);
        int group = layout.Heads / pattern.KeyValueHeads;
        long blocks = 0;
        for (int head = 0; head < pattern.KeyValueHeads; head++)
        {
            var kept = new HashSet<int>();
            for (int h = head * group; h < (head + 1) * group; h++)
            {
                var row = layout.Row(h, layout.KeyBlocks - 1);
                foreach (int block in row.Full)
                    kept.Add(block);
                foreach (int block in row.Partial)
                    kept.Add(block);
            }
            blocks += kept.Count;
        }
        return blocks * pattern.BlockTokens;
    }
}

using System.Globalization;
using S2ILGPU.Layouts;
using S2ILGPU.Models;
using S2ILGPU.Patterns;

namespace S2ILGPU.Cli.Training;

/// <summary>What a model is, in lines.</summary>
internal static class ModelText
{
    /// <summary>Its sizes.</summary>
    public static string Sizes(TransformerConfig config) => string.Create(CultureInfo.InvariantCulture,
        $"{config.ParameterCount:#,0} parameters: {config.Layers} layers, dim {config.Dim}, "
        + $"{config.QueryHeads} query heads, {config.KeyValueHeads} key/value heads of {config.HeadDim}");

    /// <summary>The pattern of neighbouring layers that have the same one.</summary>
    /// <returns>As in <c>layers 0-3</c>, the pattern, and how many layers they are.</returns>
    public static IEnumerable<(string Layers, AttentionPattern Pattern, int Count)> Patterns(TransformerConfig config)
    {
        for (int first = 0, end; first < config.Layers; first = end)
        {
            end = first + 1;
            while (end < config.Layers && config.Attention[end] == config.Attention[first])
                end++;
            yield return (end - first == 1 ? $"layer {first}" : $"layers {first}-{end - 1}",
                config.Attention[first].CreatePattern(config.QueryHeads, config.KeyValueHeads), end - first);
        }
    }

    /// <summary>A line for each pattern: what it keeps of a context.</summary>
    /// <param name="config">The model.</param>
    /// <param name="tokens">Tokens of the context.</param>
    public static IEnumerable<string> Attention(TransformerConfig config, int tokens) => Patterns(config).Select(part =>
        string.Create(CultureInfo.InvariantCulture,
            $"{part.Layers}: {part.Pattern}; keeps {PatternReport.Of(part.Pattern, tokens).KeptFraction:0.0 %} of the "
            + $"causal blocks of {tokens:#,0} tokens"));

    /// <summary>Numbers of the keys and values that a sequence keeps at its end, and that dense attention would
    /// keep.</summary>
    /// <param name="config">The model.</param>
    /// <param name="tokens">Tokens of the sequence.</param>
    public static (long Kept, long Dense) CacheElements(TransformerConfig config, int tokens)
    {
        long kept = 0, dense = 0;
        foreach (var (_, pattern, layers) in Patterns(config))
        {
            long block = 2L * layers * pattern.BlockTokens * config.HeadDim;
            var report = PatternReport.Of(
                BlockLayout.Create(pattern, tokens, Math.Min(tokens, pattern.BlockTokens)));
            kept += block * report.KeptCacheBlocks.Sum(blocks => (long)blocks);
            dense += block * report.Layout.KeyBlocks * config.KeyValueHeads;
        }
        return (kept, dense);
    }
}

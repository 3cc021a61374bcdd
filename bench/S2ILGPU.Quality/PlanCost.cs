using S2ILGPU.Cli.Training;
using S2ILGPU.Layouts;
using S2ILGPU.Models;

namespace S2ILGPU.Quality;

/// <summary>What a model costs to read a context, and to keep it.</summary>
/// <param name="AttentionFlops">FLOPs of scores and weighted sums over whole kept blocks, forward.</param>
/// <param name="ProductFlops">FLOPs of all products with parameters, forward.</param>
/// <param name="CacheBytes">Bytes of keys and values in float32 at the end of the context.</param>
internal sealed record PlanCost(long AttentionFlops, long ProductFlops, long CacheBytes)
{
    /// <summary>The cost of a context of N tokens.</summary>
    public static PlanCost Of(TransformerConfig config, int tokens)
    {
        long attention = 0;
        foreach (var (_, pattern, layers) in ModelText.Patterns(config))
        {
            long blocks = BlockLayout.Create(pattern, tokens).KeptBlocks * (config.QueryHeads / pattern.PatternHeads);
            attention += 4L * layers * blocks * pattern.BlockTokens * pattern.BlockTokens * config.HeadDim;
        }
        return new PlanCost(attention, 2 * config.ParameterCount * tokens,
            sizeof(float) * ModelText.CacheElements(config, tokens).Kept);
    }
}

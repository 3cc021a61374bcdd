using S2ILGPU.Layouts;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

namespace S2ILGPU.Inference;

/// <summary>Attention over a cache in two parts, so that the first can be computed before there are keys: over the
/// blocks before those of the new tokens, and over the rest. Their merge has other roundings than attention in one
/// piece, the same in every batch.</summary>
/// <param name="cache">The cache.</param>
/// <param name="attention">Attention of its layers.</param>
/// <param name="isWindowLate">Whether the first part ends before the window of the new tokens, not only before their
/// blocks.</param>
internal sealed class SplitAttention(KeyValueCache cache, AttentionLayers attention, bool isWindowLate = false)
{
    private readonly Dictionary<AttentionPattern, (TailLayouts Earlier, TailLayouts Newest)> _layouts =
        attention.Patterns.Distinct().ToDictionary(pattern => pattern, pattern => (
            new TailLayouts(pattern, cache.Sequences, (whole, first) =>
                new BlockRangePattern(whole, 0, CutOf(whole, first, isWindowLate))),
            new TailLayouts(pattern, cache.Sequences, (whole, first) =>
                new BlockRangePattern(whole, CutOf(whole, first, isWindowLate), int.MaxValue))));

    /// <summary>Attention over earlier blocks.</summary>
    /// <param name="pass">The pass.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="query">[1, T, H, D].</param>
    /// <returns>What <see cref="End"/> takes and disposes; null where no sequence has earlier blocks.</returns>
    public Part? Begin(CachePass pass, int layer, Tensor query)
    {
        var pattern = attention.Patterns[layer];
        bool hasEarlier = false;
        foreach (int s in pass.Active)
            hasEarlier |= CutOf(pattern, pass[s].FirstQueryPosition / pattern.BlockTokens, isWindowLate) > 0;
        if (!hasEarlier)
            return null;
        var part = NewPart(query);
        cache.AttendPages(pass, layer, query, part.Output, part.LogSumExp,
            _layouts[pattern].Earlier.For(pass.Batch));
        return part;
    }

    /// <summary>Writes keys and values, and completes the attention.</summary>
    public void End(CachePass pass, int layer, Part? earlier, Tensor query, Tensor key, Tensor value, Tensor output)
    {
        if (earlier is null)
        {
            cache.Attend(pass, layer, query, key, value, output);
            return;
        }
        using (earlier)
        using (var rest = NewPart(query))
        using (var logSumExp = NewLogSumExp(query))
        {
            cache.Write(pass, layer, key, value);
            cache.AttendPages(pass, layer, query, rest.Output, rest.LogSumExp,
                _layouts[attention.Patterns[layer]].Newest.For(pass.Batch));
            cache.Release(pass, layer);
            attention.Engine.MergePartitions([earlier.Output, rest.Output], [earlier.LogSumExp, rest.LogSumExp],
                output, logSumExp);
        }
    }

    private static int CutOf(AttentionPattern pattern, int first, bool isWindowLate) =>
        isWindowLate ? pattern.FarEnd(first) : first;

    private Part NewPart(Tensor query) =>
        new(attention.Engine.Allocate(query.Shape, query.ElementType), NewLogSumExp(query));

    private Tensor NewLogSumExp(Tensor query) => attention.Engine.Allocate(AttentionRules.StatisticsShape(query),
        AttentionRules.LogSumExpType(query));

    /// <summary>Outputs [1, T, H, D] and log-sum-exps [1, H, T] over some of the blocks.</summary>
    internal sealed record Part(Tensor Output, Tensor LogSumExp) : IDisposable
    {
        public void Dispose()
        {
            Output.Dispose();
            LogSumExp.Dispose();
        }
    }
}

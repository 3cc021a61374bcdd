using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Ops;
using S2ILGPU.Patterns;
using S2ILGPU.Tensors;

namespace S2ILGPU.Inference;

/// <summary>Attention over a cache some of whose sequences have far blocks elsewhere: the window is computed here
/// meanwhile, and the two parts are merged by their log-sum-exps. Sequences and heads without far blocks get the bits
/// that they get without.</summary>
/// <param name="cache">The cache.</param>
/// <param name="attention">Attention of its layers.</param>
internal sealed class FarAttention(KeyValueCache cache, AttentionLayers attention)
{
    private readonly Dictionary<(AttentionPattern Pattern, int Sequence, int FirstHead), BlockLayout> _near = [];

    private IEngine Engine => attention.Engine;

    /// <summary>Attention of a layer whose new keys and values are in pages.</summary>
    /// <param name="pass">The pass.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="query">[1, T, H, D].</param>
    /// <param name="output">Receives [1, T, H, D].</param>
    /// <param name="layouts">Those of the whole pattern, one for each sequence.</param>
    public void Attend(CachePass pass, int layer, Tensor query, Tensor output, BlockLayout[] layouts)
    {
        var pattern = attention.Patterns[layer];
        BlockLayout[] near = [.. layouts];
        foreach (int s in pass.Active)
            if (FarEnd(pass, s, layer) is > 0 and var end)
            {
                var far = cache.Far(s)!;
                near[s] = NearLayout(pattern, s, pass[s], far.FirstHead(layer), end);
                using var rows = query.Slice(1, pass[s].QueryStart, pass[s].QueryCount);
                using var queries = Heads(rows, 2, layer, far);
                far.Query(layer, pass[s].FirstQueryPosition, queries);
            }
        using var logSumExp =
            Engine.Allocate(AttentionRules.StatisticsShape(query), AttentionRules.LogSumExpType(query));
        cache.AttendPages(pass, layer, query, output, logSumExp, near);
        foreach (int s in pass.Active)
            if (FarEnd(pass, s, layer) > 0)
                Merge(layer, pass[s], cache.Far(s)!, output, logSumExp);
    }

    /// <summary>Exclusive end of the blocks of a sequence that are elsewhere when a pass begins; 0 where none
    /// is.</summary>
    public int FarEnd(CachePass pass, int sequence, int layer)
    {
        var pattern = attention.Patterns[layer];
        return cache.Far(sequence) is not { } far || far.FirstHead(layer) == pattern.KeyValueHeads ? 0
            : pattern.FarEnd(pass[sequence].FirstQueryPosition / pattern.BlockTokens);
    }

    private void Merge(int layer, in Sequence rows, IFarPages far, Tensor output, Tensor logSumExp)
    {
        using Tensor outputRows = output.Slice(1, rows.QueryStart, rows.QueryCount),
            logSumExpRows = logSumExp.Slice(2, rows.QueryStart, rows.QueryCount),
            target = Heads(outputRows, 2, layer, far), targetLogSumExp = Heads(logSumExpRows, 1, layer, far),
            near = Copy(target), nearLogSumExp = Copy(targetLogSumExp),
            distant = Engine.Allocate(near.Shape, near.ElementType),
            distantLogSumExp = Engine.Allocate(nearLogSumExp.Shape, nearLogSumExp.ElementType),
            merged = Engine.Allocate(near.Shape, near.ElementType),
            mergedLogSumExp = Engine.Allocate(nearLogSumExp.Shape, nearLogSumExp.ElementType);
        far.Output(layer, distant, distantLogSumExp);
        Engine.MergePartitions([distant, near], [distantLogSumExp, nearLogSumExp], merged, mergedLogSumExp);
        Engine.Copy(merged, target);
    }

    // The query heads whose far blocks are elsewhere.
    private Tensor Heads(Tensor rows, int dimension, int layer, IFarPages far)
    {
        var pattern = attention.Patterns[layer];
        int first = far.FirstHead(layer) * (pattern.QueryHeads / pattern.KeyValueHeads);
        return rows.Slice(dimension, first, pattern.QueryHeads - first);
    }

    private Tensor Copy(Tensor source)
    {
        var copy = Engine.Allocate(source.Shape, source.ElementType);
        Engine.Copy(source, copy);
        return copy;
    }

    // Built anew only when a sequence enters another block.
    private BlockLayout NearLayout(AttentionPattern pattern, int sequence, in Sequence rows, int firstHead, int start)
    {
        int block = pattern.BlockTokens, first = rows.FirstQueryPosition / block,
            end = BlockLayout.BlocksOf(rows.KeyCount, block);
        if (!_near.TryGetValue((pattern, sequence, firstHead), out var near) || near.FirstQueryBlock != first
            || near.KeyBlocks != end || near.QueryBlocks != end - first)
            _near[(pattern, sequence, firstHead)] = near = BlockLayout.Create(
                new NearPattern(pattern, firstHead, start), end * block, (end - first) * block);
        return near;
    }
}

using S2ILGPU.Engines;
using S2ILGPU.Layouts;
using S2ILGPU.Patterns;

namespace S2ILGPU.Inference;

/// <summary>The rows of a pattern that the newest tokens of each sequence need, built anew only when a sequence enters
/// another block. Shared by all layers of the pattern.</summary>
internal sealed class TailLayouts
{
    private readonly AttentionPattern _pattern;
    private readonly Func<AttentionPattern, int, AttentionPattern>? _cut;
    private readonly BlockLayout[] _layouts;

    /// <param name="pattern">The pattern.</param>
    /// <param name="sequences">S, number of sequences.</param>
    /// <param name="cut">Makes a part of the pattern, given the first block of the newest tokens; null for all of
    /// it.</param>
    public TailLayouts(AttentionPattern pattern, int sequences,
        Func<AttentionPattern, int, AttentionPattern>? cut = null)
    {
        (_pattern, _cut) = (pattern, cut);
        _layouts = new BlockLayout[sequences];
        Array.Fill(_layouts, BlockLayout.Create(pattern, 0));
    }

    /// <summary>One layout per sequence, covering its queries. The array is the same every time.</summary>
    public BlockLayout[] For(SequenceBatch sequences)
    {
        int block = _pattern.BlockTokens;
        for (int i = 0; i < _layouts.Length; i++)
        {
            var s = sequences.Sequences[i];
            int first = s.FirstQueryPosition / block, end = BlockLayout.BlocksOf(s.KeyCount, block);
            if (s.QueryCount > 0 && (_layouts[i].FirstQueryBlock != first || _layouts[i].KeyBlocks != end))
                _layouts[i] = Shared(i, first, end) ?? BlockLayout.Create(_cut?.Invoke(_pattern, first) ?? _pattern,
                    end * block, (end - first) * block);
        }
        return _layouts;
    }

    // Sequences of a batch often stand in the same block.
    private BlockLayout? Shared(int before, int first, int end)
    {
        for (int i = 0; i < before; i++)
            if (_layouts[i].FirstQueryBlock == first && _layouts[i].KeyBlocks == end)
                return _layouts[i];
        return null;
    }
}

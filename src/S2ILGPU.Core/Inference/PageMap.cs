namespace S2ILGPU.Inference;

/// <summary>What became of a block of a KV head.</summary>
public enum PageState
{
    /// <summary>The sequence is not that long.</summary>
    Unwritten,

    /// <summary>In a page of its own.</summary>
    Kept,

    /// <summary>In a page that other sequences read too.</summary>
    Shared,

    /// <summary>In no page here: freed, because no query head of the group reads it again, or held by another
    /// instance.</summary>
    Freed,
}

/// <summary>A picture of a sequence's pages, layers x KV heads x blocks. A copy: it does not change with the
/// cache.</summary>
public sealed class PageMap
{
    private readonly PageState[][] _states;                                       // layers, each [Hkv, blocks]

    internal PageMap(PageState[][] states, int keyValueHeads) => (_states, KeyValueHeads) = (states, keyValueHeads);

    /// <summary>Number of layers.</summary>
    public int Layers => _states.Length;

    /// <summary>Hkv, number of KV heads.</summary>
    public int KeyValueHeads { get; }

    /// <summary>Blocks that the longest sequence has in a layer.</summary>
    /// <param name="layer">The layer, from 0.</param>
    public int Blocks(int layer) => _states[layer].Length / KeyValueHeads;

    /// <summary>What became of a block.</summary>
    /// <param name="layer">The layer, from 0.</param>
    /// <param name="keyValueHead">The KV head, from 0.</param>
    /// <param name="block">The block, from 0.</param>
    public PageState this[int layer, int keyValueHead, int block] =>
        _states[layer][keyValueHead * Blocks(layer) + block];

    /// <summary>How many blocks are in a state.</summary>
    /// <param name="state">The state.</param>
    public int Count(PageState state)
    {
        int count = 0;
        foreach (var layer in _states)
            foreach (var block in layer)
                if (block == state)
                    count++;
        return count;
    }
}

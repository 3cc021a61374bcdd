namespace S2ILGPU.Inference;

/// <summary>The blocks of one KV head of one sequence that have pages, ascending. What is kept is found without looking
/// at blocks that were freed.</summary>
internal sealed class BlockList
{
    private int[] _blocks = [];

    public int Count { get; private set; }

    public ReadOnlySpan<int> Blocks => _blocks.AsSpan(0, Count);

    /// <summary>Adds a block behind all others.</summary>
    public void Add(int block)
    {
        if (Count == _blocks.Length)
            Array.Resize(ref _blocks, Math.Max(8, 2 * Count));
        _blocks[Count++] = block;
    }

    /// <summary>Puts the block at a place into another place.</summary>
    public void Move(int from, int to) => _blocks[to] = _blocks[from];

    /// <summary>Forgets the blocks from a place on.</summary>
    public void Cut(int count) => Count = count;
}

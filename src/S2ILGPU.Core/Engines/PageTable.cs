namespace S2ILGPU.Engines;

/// <summary>Which page of a key/value cache holds each block: <c>table[sequence, kvHead, keyBlock]</c>, -1 where the
/// block was never written or was freed.</summary>
/// <remarks>Lives on the host; <see cref="Version"/> changes with every write so that a device can keep a copy. Every
/// KV head has pages of its own because each head keeps other blocks.</remarks>
/// <param name="sequences">S, number of sequences.</param>
/// <param name="keyValueHeads">Hkv, number of key/value heads.</param>
/// <param name="maxBlocks">Most key blocks of a sequence.</param>
/// <exception cref="ArgumentException">A number is negative, or an array cannot hold the table.</exception>
public sealed class PageTable(int sequences, int keyValueHeads, int maxBlocks)
{
    /// <summary>The entry of a block that has no page.</summary>
    public const int None = -1;

    private readonly int[] _pages = Filled(sequences, keyValueHeads, maxBlocks);

    /// <summary>S, number of sequences.</summary>
    public int Sequences { get; } = sequences;

    /// <summary>Hkv, number of key/value heads.</summary>
    public int KeyValueHeads { get; } = keyValueHeads;

    /// <summary>Most key blocks of a sequence.</summary>
    public int MaxBlocks { get; } = maxBlocks;

    /// <summary>Counts the writes.</summary>
    public long Version { get; private set; }

    /// <summary>The page of a block, or <see cref="None"/>.</summary>
    /// <param name="sequence">Sequence.</param>
    /// <param name="keyValueHead">KV head.</param>
    /// <param name="keyBlock">Absolute key block.</param>
    public int this[int sequence, int keyValueHead, int keyBlock]
    {
        get => _pages[Index(sequence, keyValueHead, keyBlock)];
        set
        {
            _pages[Index(sequence, keyValueHead, keyBlock)] = value;
            Version++;
        }
    }

    /// <summary>The pages of all blocks of one KV head of one sequence, <c>[MaxBlocks]</c>.</summary>
    /// <param name="sequence">Sequence.</param>
    /// <param name="keyValueHead">KV head.</param>
    public ReadOnlySpan<int> Row(int sequence, int keyValueHead) =>
        _pages.AsSpan(Index(sequence, keyValueHead, 0), MaxBlocks);

    private int Index(int sequence, int keyValueHead, int keyBlock)
    {
        if ((uint)sequence >= (uint)Sequences || (uint)keyValueHead >= (uint)KeyValueHeads
            || (uint)keyBlock >= (uint)MaxBlocks)
            throw new ArgumentOutOfRangeException(nameof(sequence),
                $"[{sequence}, {keyValueHead}, {keyBlock}] of a page table "
                + $"[{Sequences}, {KeyValueHeads}, {MaxBlocks}]");
        return (sequence * KeyValueHeads + keyValueHead) * MaxBlocks + keyBlock;
    }

    private static int[] Filled(int sequences, int keyValueHeads, int maxBlocks)
    {
        if (sequences < 0 || keyValueHeads < 0 || maxBlocks < 0
            || (Int128)sequences * keyValueHeads * maxBlocks > Array.MaxLength)
            throw new ArgumentException($"a page table of {sequences} sequences, {keyValueHeads} heads and {maxBlocks} "
                + $"blocks each must have 0 to {Array.MaxLength} entries");
        var pages = new int[sequences * keyValueHeads * maxBlocks];
        Array.Fill(pages, None);
        return pages;
    }
}

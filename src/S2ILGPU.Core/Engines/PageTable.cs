using System.Runtime.InteropServices;
using S2ILGPU.Tensors;

namespace S2ILGPU.Engines;

/// <summary>Which page of a key/value cache holds each block: <c>table[sequence, kvHead, keyBlock]</c>, -1 where the
/// block was never written or was freed.</summary>
/// <remarks>Lives on the host; <see cref="Version"/> changes with every write, and <see cref="TryGetWritesSince"/> says
/// what was written, so that a device can keep a copy. Every KV head has pages of its own because each head keeps other
/// blocks.</remarks>
/// <param name="sequences">S, number of sequences.</param>
/// <param name="keyValueHeads">Hkv, number of key/value heads.</param>
/// <param name="maxBlocks">Most key blocks of a sequence.</param>
/// <exception cref="ArgumentException">A number is negative, or an array cannot hold the table.</exception>
public sealed class PageTable(int sequences, int keyValueHeads, int maxBlocks)
{
    /// <summary>The entry of a block that has no page.</summary>
    public const int None = -1;

    private const int LeastWrites = 256;

    // Of a row of Int8: a float32.
    private const int ScaleBytes = sizeof(float);

    private readonly int[] _pages = Filled(sequences, keyValueHeads, maxBlocks);
    private readonly List<int> _writes = [];

    /// <summary>S, number of sequences.</summary>
    public int Sequences { get; } = sequences;

    /// <summary>Hkv, number of key/value heads.</summary>
    public int KeyValueHeads { get; } = keyValueHeads;

    /// <summary>Most key blocks of a sequence.</summary>
    public int MaxBlocks { get; } = maxBlocks;

    /// <summary>Counts the writes.</summary>
    public long Version { get; private set; }

    /// <summary>The shape of a tensor of pages: <c>[P, blockTokens, D]</c>; of Int8 <c>[P, blockTokens, D + 4]</c>,
    /// bytes and a scale for each row. Where the scales lie in a page is the engine's choice: only <see
    /// cref="IEngine.WritePages"/> and attention look inside such pages, and copies move whole ones.</summary>
    /// <param name="pages">P, number of pages.</param>
    /// <param name="blockTokens">Tokens of a page.</param>
    /// <param name="headDim">D.</param>
    /// <param name="elementType">Element type of the pages.</param>
    public static Shape PagesShape(int pages, int blockTokens, int headDim, ElementType elementType) =>
        new(pages, blockTokens, headDim + (elementType == ElementType.Int8 ? ScaleBytes : 0));

    /// <summary>The page of a block, or <see cref="None"/>.</summary>
    /// <param name="sequence">Sequence.</param>
    /// <param name="keyValueHead">KV head.</param>
    /// <param name="keyBlock">Absolute key block.</param>
    public int this[int sequence, int keyValueHead, int keyBlock]
    {
        get => _pages[Index(sequence, keyValueHead, keyBlock)];
        set
        {
            int index = Index(sequence, keyValueHead, keyBlock);
            _pages[index] = value;
            Version++;
            // a copy that missed more than an eighth of the table is made anew
            int kept = Math.Max(LeastWrites, _pages.Length / 8);
            if (_writes.Count >= 2 * kept)
                _writes.RemoveRange(0, kept);
            _writes.Add(index);
        }
    }

    /// <summary>The entries that were written since the table had a version, so that a copy of it can follow.</summary>
    /// <param name="version">A <see cref="Version"/> of this table.</param>
    /// <param name="entries">Indices <c>(sequence Hkv + kvHead) MaxBlocks + keyBlock</c> in the order of the writes, an
    /// index as often as it was written; valid until the next write.</param>
    /// <returns>False when that is too long ago: the table keeps its last writes only.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The table has not had this version.</exception>
    public bool TryGetWritesSince(long version, out ReadOnlySpan<int> entries)
    {
        if (version < 0 || version > Version)
            throw new ArgumentOutOfRangeException(nameof(version), version,
                $"the table has had versions 0 to {Version}");
        long count = Version - version;
        entries = count > _writes.Count ? default : CollectionsMarshal.AsSpan(_writes)[^(int)count..];
        return count <= _writes.Count;
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

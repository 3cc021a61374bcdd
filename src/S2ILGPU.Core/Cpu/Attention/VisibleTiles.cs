using System.Numerics;
using S2ILGPU.Layouts;

namespace S2ILGPU.Cpu.Attention;

/// <summary>The tiles of keys that some queries see, in ascending order.</summary>
/// <remarks>Belongs to one worker.</remarks>
internal sealed class VisibleTiles
{
    private ulong[] _bits = [];
    private int _end;

    /// <summary>Starts with no tile.</summary>
    /// <param name="end">Tiles from here on are never found.</param>
    public void Clear(int end)
    {
        int words = (end + 63) / 64;
        if (_bits.Length < words)
            _bits = new ulong[words];
        _bits.AsSpan(0, words).Clear();
        _end = end;
    }

    /// <summary>Adds what a head of a layout sees from some blocks of queries.</summary>
    public void Add(BlockLayout layout, int head, int firstBlock, int endBlock)
    {
        var rows = layout.RowsOf(head);
        for (int row = firstBlock - layout.FirstQueryBlock; row < endBlock - layout.FirstQueryBlock; row++)
            foreach (int block in rows[row])
            {
                int first = block * layout.BlockTokens / TokenGroup.MaxTokens,
                    last = ((block + 1) * layout.BlockTokens - 1) / TokenGroup.MaxTokens;
                for (int tile = first; tile <= Math.Min(last, _end - 1); tile++)
                    _bits[tile >> 6] |= 1ul << tile;
            }
    }

    /// <summary>The first tile from one on; the exclusive end when there is none.</summary>
    public int Next(int tile)
    {
        for (int word = tile >> 6; word < (_end + 63) / 64; word++)
        {
            ulong bits = _bits[word] & ulong.MaxValue << (word == tile >> 6 ? tile : 0);
            if (bits != 0)
                return word * 64 + BitOperations.TrailingZeroCount(bits);
        }
        return _end;
    }
}

using System.Numerics;
using S2ILGPU.Layouts;

namespace S2ILGPU.Cpu.Attention;

/// <summary>Walks over the union of some neighbouring rows (or columns) of a layout in ascending order, with a mask of
/// the rows that have each entry.</summary>
internal unsafe ref struct BlockUnion
{
    /// <summary>The most rows: 64 tokens that begin inside a block of 16 touch 5.</summary>
    public const int MaxRows = 8;

    private readonly ReadOnlySpan<int> _entries;
    private readonly int _rows;
    private fixed int _next[MaxRows], _end[MaxRows];

    /// <summary>Starts before the first entry.</summary>
    /// <param name="lines">The rows of a head.</param>
    /// <param name="firstRow">First row of the union.</param>
    /// <param name="rows">Number of rows.</param>
    public BlockUnion(BlockLines lines, int firstRow, int rows)
    {
        _entries = lines.Entries;
        _rows = rows;
        for (int r = 0; r < rows; r++)
            (_next[r], _end[r]) = lines.At(firstRow + r);
    }

    /// <summary>The present entry.</summary>
    public int Block { get; private set; }

    /// <summary>Bit r: row r of the union has the entry.</summary>
    public int Mask { get; private set; }

    public bool MoveNext()
    {
        (Block, Mask) = (int.MaxValue, 0);
        for (int r = 0; r < _rows; r++)
            if (_next[r] < _end[r])
            {
                int block = _entries[_next[r]];
                (Block, Mask) = block < Block ? (block, 1 << r) : block == Block ? (Block, Mask | 1 << r)
                    : (Block, Mask);
            }
        for (int rest = Mask; rest != 0; rest &= rest - 1)
            _next[BitOperations.TrailingZeroCount(rest)]++;
        return Mask != 0;
    }

    /// <summary>Passes over entries below a block.</summary>
    public void SkipTo(int block)
    {
        for (int r = 0; r < _rows; r++)
        {
            int at = _entries[_next[r].._end[r]].BinarySearch(block);
            _next[r] += at < 0 ? ~at : at;
        }
    }

    /// <summary>Passes over entries.</summary>
    public void Skip(int entries)
    {
        if (_rows == 1)
            _next[0] = Math.Min(_next[0] + entries, _end[0]);
        else
            while (entries-- > 0 && MoveNext()) { }
    }

    /// <summary>Number of entries from here on, below a block.</summary>
    public readonly int Count(int blockEnd)
    {
        var walk = this;
        int count = 0;
        if (_rows == 1)
        {
            var row = _entries[_next[0].._end[0]];
            int end = row.BinarySearch(blockEnd);
            return end < 0 ? ~end : end;
        }
        while (walk.MoveNext() && walk.Block < blockEnd)
            count++;
        return count;
    }
}

using S2ILGPU.Patterns;

namespace S2ILGPU.Layouts;

/// <summary>Builds the lines of a head, in order.</summary>
internal sealed class BlockLinesBuilder
{
    private readonly int _blocks;
    private readonly int[] _starts;
    private readonly long[] _kept;
    private int[] _entries;
    private int _line, _count, _allBlocks = -1;                           // where the list of all blocks begins
    private long _inRanges;

    /// <summary>Starts without lines.</summary>
    /// <param name="lines">Number of lines to come.</param>
    /// <param name="blocks">Entries are below this.</param>
    /// <param name="capacity">Entries for which there is room at first.</param>
    public BlockLinesBuilder(int lines, int blocks, int capacity)
    {
        (_blocks, _starts, _kept) = (blocks, new int[lines], new long[lines + 1]);
        _entries = Allocate(capacity);
    }

    /// <summary>Adds a line.</summary>
    /// <param name="row">Its blocks, ascending.</param>
    public void Add(BlockRowBuilder row)
    {
        if (row.Count == 0)
            AddRange(0, 0);
        else if (row.IsRange(out int start, out int end))
            AddRange(start, end);
        else if (row.Blocks is var blocks && blocks[^1] - blocks[0] + 1 == blocks.Length)
            AddRange(blocks[0], blocks[^1] + 1);
        else
        {
            Reserve(blocks.Length);
            blocks.CopyTo(_entries.AsSpan(_count));
            Add(_count, blocks.Length, blocks.Length);
        }
    }

    /// <summary>The lines; the builder is used up.</summary>
    public BlockLines Build()
    {
        if (_entries.Length > 1.25 * _count)
            Array.Resize(ref _entries, _count);
        return new BlockLines(_entries, _count, _starts, _kept);
    }

    /// <summary>Memory for entries.</summary>
    /// <exception cref="ArgumentException">No array has so many.</exception>
    public static int[] Allocate(long entries) => entries > Array.MaxLength
        ? throw BlockRowBuilder.TooManyBlocks()
        : GC.AllocateUninitializedArray<int>((int)entries);

    private void AddRange(int start, int end)
    {
        int count = end - start;
        _inRanges += count;
        if (_allBlocks < 0 && _inRanges > _blocks)
        {
            // the ranges so far took as much as this list
            Reserve(_blocks);
            _allBlocks = _count;
            for (int block = 0; block < _blocks; block++)
                _entries[_count++] = block;
        }
        if (_allBlocks >= 0)
            Add(_allBlocks + start, count, 0);
        else
        {
            Reserve(count);
            for (int i = 0; i < count; i++)
                _entries[_count + i] = start + i;
            Add(_count, count, count);
        }
    }

    private void Add(int start, int kept, int stored)
    {
        _starts[_line] = start;
        _kept[_line + 1] = _kept[_line] + kept;
        _line++;
        _count += stored;
    }

    private void Reserve(int more)
    {
        long needed = (long)_count + more;
        if (needed <= _entries.Length)
            return;
        var grown = Allocate(Math.Max(needed, Math.Min(2L * _entries.Length, Array.MaxLength)));
        _entries.AsSpan(0, _count).CopyTo(grown);
        _entries = grown;
    }
}

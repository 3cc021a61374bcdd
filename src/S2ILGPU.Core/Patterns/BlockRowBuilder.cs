namespace S2ILGPU.Patterns;

/// <summary>A growing list of key blocks to which patterns append their rows.</summary>
/// <remarks>Not thread-safe. Grows by doubling, so that many rows cost few allocations. As long as it is one range it
/// is kept as its ends: a row of dense attention costs as little as one of a window.</remarks>
public sealed class BlockRowBuilder
{
    private int[] _blocks;
    private int[] _scratch = [];
    private int _rangeStart, _rangeEnd;                                   // not empty: the list, and not in _blocks

    /// <summary>Creates an empty list.</summary>
    /// <param name="capacity">Number of key blocks for which there is room at first.</param>
    public BlockRowBuilder(int capacity = 256) => _blocks = GC.AllocateUninitializedArray<int>(capacity);

    /// <summary>Number of key blocks so far, in all rows.</summary>
    public int Count { get; private set; }

    /// <summary>The key blocks so far, row after row.</summary>
    public ReadOnlySpan<int> Blocks
    {
        get
        {
            Write();
            return _blocks.AsSpan(0, Count);
        }
    }

    /// <summary>Appends one key block.</summary>
    /// <param name="keyBlock">The key block.</param>
    public void Add(int keyBlock)
    {
        Write();
        if (Count == _blocks.Length)
            Reserve(Count + 1L);
        _blocks[Count++] = keyBlock;
    }

    /// <summary>Appends <c>start, start + step, ...</c> below <c>end</c>.</summary>
    /// <param name="start">First key block.</param>
    /// <param name="end">Exclusive end; nothing is appended when it is not above <paramref name="start"/>.</param>
    /// <param name="step">Distance of neighbours, at least 1.</param>
    public void AddRange(int start, int end, int step = 1)
    {
        if (start >= end)
            return;
        if (step == 1 && (Count == 0 || start == _rangeEnd && _rangeStart < _rangeEnd))
        {
            _rangeStart = Count == 0 ? start : _rangeStart;
            (_rangeEnd, Count) = (end, end - _rangeStart);
            return;
        }
        Write();
        int count = (int)(((long)end - start + step - 1) / step);
        Reserve((long)Count + count);
        var blocks = _blocks.AsSpan(Count, count);
        for (int i = 0; i < blocks.Length; i++)
            blocks[i] = start + i * step;
        Count += count;
    }

    /// <summary>Removes all key blocks and keeps the memory.</summary>
    public void Clear() => (Count, _rangeStart, _rangeEnd) = (0, 0, 0);

    /// <summary>Whether the list is known to be one range; else it may be one all the same.</summary>
    /// <param name="start">First key block.</param>
    /// <param name="end">Exclusive end.</param>
    internal bool IsRange(out int start, out int end)
    {
        (start, end) = (_rangeStart, _rangeEnd);
        return start < end;
    }

    /// <summary>The error of a layout whose lists no array holds.</summary>
    internal static ArgumentException TooManyBlocks() => new(
        $"a layout lists at most {Array.MaxLength} kept blocks; use larger blocks, fewer tokens or a sparser pattern");

    /// <summary>Replaces the two ascending rows at [left, right) and [right, Count) by their union or their
    /// intersection.</summary>
    internal void Combine(int left, int right, bool isUnion)
    {
        if (_scratch.Length < Count - left)
            _scratch = new int[Math.Max(Count - left, 2 * _scratch.Length)];
        Blocks[left..].CopyTo(_scratch);
        var a = _scratch.AsSpan(0, right - left);
        var b = _scratch.AsSpan(right - left, Count - right);
        Count = left;
        int i = 0, j = 0;
        while (i < a.Length && j < b.Length)
        {
            int smaller = Math.Min(a[i], b[j]);
            if (isUnion || a[i] == b[j])
                _blocks[Count++] = smaller;
            if (a[i] == smaller)
                i++;
            if (b[j] == smaller)
                j++;
        }
        if (!isUnion)
            return;
        Append(a[i..]);
        Append(b[j..]);
    }

    // Writes the range that the list was so far.
    private void Write()
    {
        if (_rangeStart >= _rangeEnd)
            return;
        int start = _rangeStart, count = Count;
        (Count, _rangeStart, _rangeEnd) = (0, 0, 0);
        Reserve(count);
        for (int i = 0; i < count; i++)
            _blocks[i] = start + i;
        Count = count;
    }

    // Makes room for a total number of key blocks.
    private void Reserve(long capacity)
    {
        if (capacity <= _blocks.Length)
            return;
        if (capacity > Array.MaxLength)
            throw TooManyBlocks();
        var grown = GC.AllocateUninitializedArray<int>(
            (int)Math.Min(Math.Max(capacity, 2L * _blocks.Length), Array.MaxLength));
        _blocks.AsSpan(0, Count).CopyTo(grown);
        _blocks = grown;
    }

    private void Append(ReadOnlySpan<int> keyBlocks)
    {
        keyBlocks.CopyTo(_blocks.AsSpan(Count));
        Count += keyBlocks.Length;
    }
}

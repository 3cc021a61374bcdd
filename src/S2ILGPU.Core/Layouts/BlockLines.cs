namespace S2ILGPU.Layouts;

/// <summary>The rows (or columns) of one head of a layout: an ascending list of blocks each.</summary>
/// <remarks>A line that is a range of blocks takes no list of its own: it is a part of one list of all blocks in order,
/// so that dense attention and windows need O(blocks) memory instead of O(kept blocks). An immutable value.</remarks>
internal sealed class BlockLines
{
    private readonly int[] _entries, _starts;                             // of a line: its first entry
    private readonly int _stored;
    private readonly long[] _kept;                                        // kept blocks of the lines before

    /// <summary>Creates the lines of a head.</summary>
    /// <param name="entries">Entries, ascending within a line.</param>
    /// <param name="stored">How many there are; the array may be longer.</param>
    /// <param name="starts">For each line, where its entries begin; lines may share them.</param>
    /// <param name="kept">For each line, the entries of those before it; then of all.</param>
    public BlockLines(int[] entries, int stored, int[] starts, long[] kept) =>
        (_entries, _stored, _starts, _kept) = (entries, stored, starts, kept);

    /// <summary>Number of lines.</summary>
    public int Count => _starts.Length;

    /// <summary>Kept blocks of all lines.</summary>
    public long Kept => _kept[^1];

    /// <summary>Entries that are in memory.</summary>
    public int StoredEntries => _stored;

    /// <summary>All entries; <see cref="At"/> says which are those of a line.</summary>
    public ReadOnlySpan<int> Entries => _entries.AsSpan(0, _stored);

    /// <summary>The entries of a line.</summary>
    public ReadOnlySpan<int> this[int line] => _entries.AsSpan(_starts[line], (int)(_kept[line + 1] - _kept[line]));

    /// <summary>Where the entries of a line are: start and exclusive end.</summary>
    public (int Start, int End) At(int line) =>
        (_starts[line], _starts[line] + (int)(_kept[line + 1] - _kept[line]));

    /// <summary>Kept blocks of the lines before one.</summary>
    public long KeptBefore(int line) => _kept[line];

    /// <summary>Whether all lines are the same.</summary>
    public bool SameAs(BlockLines other) => _kept.AsSpan().SequenceEqual(other._kept)
        && _starts.AsSpan().SequenceEqual(other._starts) && Entries.SequenceEqual(other.Entries);

    /// <summary>The lines the other way round: for each entry, the lines that have it.</summary>
    /// <param name="firstLine">The number of line 0.</param>
    /// <param name="entries">Entries are below this.</param>
    public BlockLines Transpose(int firstLine, int entries)
    {
        var kept = new long[entries + 1];
        int[] first = new int[entries], last = new int[entries];
        for (int line = 0; line < Count; line++)
            foreach (int entry in this[line])
            {
                if (kept[entry + 1]++ == 0)
                    first[entry] = line;
                last[entry] = line;
            }
        long inRanges = 0, all = Kept;
        for (int entry = 0; entry < entries; entry++)
            if (kept[entry + 1] == last[entry] - first[entry] + 1)
                inRanges += kept[entry + 1];
        // the list of all lines pays when there is more in ranges than in it
        bool sharesRanges = inRanges > Count;
        int[] stored = BlockLinesBuilder.Allocate(sharesRanges ? Count + all - inRanges : all), starts = first;
        int next = 0;
        for (; sharesRanges && next < Count; next++)
            stored[next] = firstLine + next;
        int[] at = last;                                                  // where the next line of an entry is written
        for (int entry = 0; entry < entries; entry++)
        {
            int count = (int)kept[entry + 1];
            if (sharesRanges && count == last[entry] - first[entry] + 1)
                (starts[entry], at[entry]) = (first[entry], -1);
            else
            {
                (starts[entry], at[entry]) = (next, next);
                next += count;
            }
            kept[entry + 1] += kept[entry];
        }
        for (int line = 0; line < Count; line++)
            foreach (int entry in this[line])
                if (at[entry] >= 0)
                    stored[at[entry]++] = firstLine + line;
        return new BlockLines(stored, stored.Length, starts, kept);
    }
}

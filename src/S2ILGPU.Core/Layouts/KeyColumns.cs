namespace S2ILGPU.Layouts;

/// <summary>The kept blocks of a layout by key block: column (head, keyBlock) is <c>Rows[Starts[c]..Starts[c + 1]]</c>
/// with <c>c = head * KeyBlocks + keyBlock</c>.</summary>
internal sealed class KeyColumns(int[] starts, int[] rows)
{
    public int[] Starts { get; } = starts;

    /// <summary>Absolute query blocks, ascending within a column.</summary>
    public int[] Rows { get; } = rows;

    /// <summary>Counting sort by column; rows come out ascending because they are visited in order.</summary>
    public static KeyColumns Of(BlockLayout layout)
    {
        int keyBlocks = layout.KeyBlocks, queryBlocks = layout.QueryBlocks;
        var starts = new int[layout.Heads * keyBlocks + 1];
        var rows = GC.AllocateUninitializedArray<int>(layout.Columns.Length);
        var next = new int[keyBlocks];
        for (int head = 0; head < layout.Heads; head++)
        {
            var rowStarts = layout.RowStarts.Slice(head * queryBlocks, queryBlocks + 1);
            var columnStarts = starts.AsSpan(head * keyBlocks, keyBlocks + 1);
            CountEntries(layout.Columns[rowStarts[0]..rowStarts[^1]], next, columnStarts);
            for (int row = 0; row < queryBlocks; row++)
                foreach (int keyBlock in layout.Columns[rowStarts[row]..rowStarts[row + 1]])
                    rows[next[keyBlock]++] = layout.FirstQueryBlock + row;
        }
        return new KeyColumns(starts, rows);
    }

    // Writes where each column of one head starts, into next and from columnStarts[1] on; [0] is set already.
    private static void CountEntries(ReadOnlySpan<int> entries, Span<int> next, Span<int> columnStarts)
    {
        next.Clear();
        foreach (int keyBlock in entries)
            next[keyBlock]++;
        for (int keyBlock = 0, start = columnStarts[0]; keyBlock < next.Length; keyBlock++)
        {
            (next[keyBlock], start) = (start, start + next[keyBlock]);
            columnStarts[keyBlock + 1] = start;
        }
    }
}

using ILGPU;
using S2ILGPU.Engines;
using S2ILGPU.Kernels.Memory;

namespace S2ILGPU.Queue;

/// <summary>Page tables on the device [S, Hkv, MaxBlocks], which receive what changed since they were used last, and
/// are freed when the table of the host is gone.</summary>
internal sealed class PageTableCopies(DeviceQueue queue)
{
    private readonly List<Entry> _entries = [];

    /// <summary>The device's copy of a table as it is now.</summary>
    /// <param name="table">The table.</param>
    /// <param name="entriesPerBlock">Above 1 each block counts as so many neighbouring parts of its page: [S, Hkv,
    /// MaxBlocks * parts] with part n of page p being p * parts + n.</param>
    public ArrayView<int> Of(PageTable table, int entriesPerBlock = 1)
    {
        foreach (var entry in _entries)
            if (entry.Table.TryGetTarget(out var known) && known == table && entry.EntriesPerBlock == entriesPerBlock)
            {
                if (entry.Version != table.Version)
                    Update(entry, table);
                return entry.Copy.View;
            }
        Remove(entry => !entry.Table.TryGetTarget(out _));
        var copy = new HostCopy<int>(queue, Pages(table, entriesPerBlock));
        _entries.Add(new Entry(new WeakReference<PageTable>(table), entriesPerBlock, copy) { Version = table.Version });
        return copy.View;
    }

    /// <summary>Frees all copies.</summary>
    public void Clear() => Remove(_ => true);

    // In the order of the queue: kernels that were queued before have read the copy as it was.
    private void Update(Entry entry, PageTable table)
    {
        if (table.TryGetWritesSince(entry.Version, out var writes))
        {
            var changes = Changes(table, writes, entry.EntriesPerBlock);
            using var uploaded = new HostCopy<PageChange>(queue, changes);
            queue.LaunchOver(changes.Length, PageChanges.Write, new PageChangeArguments
            {
                Changes = uploaded.View,
                Table = entry.Copy.View,
                Count = changes.Length,
            });
        }
        else
            queue.Upload(Pages(table, entry.EntriesPerBlock), entry.Copy.View);
        entry.Version = table.Version;
    }

    private static PageChange[] Changes(PageTable table, ReadOnlySpan<int> writes, int parts)
    {
        int[] written = [.. new SortedSet<int>(writes.ToArray())];
        var changes = new PageChange[written.Length * parts];
        for (int n = 0; n < changes.Length; n++)
        {
            var (row, block) = Math.DivRem(written[n / parts], table.MaxBlocks);
            int page = table[row / table.KeyValueHeads, row % table.KeyValueHeads, block], part = n % parts;
            changes[n] = new PageChange { Index = written[n / parts] * parts + part, Page = PartOf(page, parts, part) };
        }
        return changes;
    }

    private static int[] Pages(PageTable table, int parts)
    {
        long count = (long)table.Sequences * table.KeyValueHeads * table.MaxBlocks * parts;
        if (count > Array.MaxLength)
            throw new ArgumentException(
                $"a page table of {table.Sequences} sequences, {table.KeyValueHeads} KV heads and {table.MaxBlocks} "
                + $"blocks of {parts} parts: {count:N0} entries, a kernel can index {Array.MaxLength:N0}");
        var pages = new int[count];
        int at = 0;
        for (int s = 0; s < table.Sequences; s++)
            for (int head = 0; head < table.KeyValueHeads; head++)
                foreach (int page in table.Row(s, head))
                    for (int part = 0; part < parts; part++)
                        pages[at++] = PartOf(page, parts, part);
        return pages;
    }

    private static int PartOf(int page, int parts, int part) =>
        page == PageTable.None ? PageTable.None : page * parts + part;

    private void Remove(Predicate<Entry> isDead)
    {
        foreach (var entry in _entries)
            if (isDead(entry))
                entry.Copy.Dispose();
        _entries.RemoveAll(isDead);
    }

    private sealed record Entry(WeakReference<PageTable> Table, int EntriesPerBlock, HostCopy<int> Copy)
    {
        public long Version { get; set; }
    }
}

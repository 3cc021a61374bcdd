using ILGPU;
using S2ILGPU.Engines;

namespace S2ILGPU.Queue;

/// <summary>Page tables on the device [S, Hkv, MaxBlocks], copied again only when they changed, and freed when the
/// table of the host is gone.</summary>
internal sealed class PageTableCopies(DeviceQueue queue)
{
    private readonly List<Entry> _entries = [];

    /// <summary>The device's copy of a table as it is now.</summary>
    /// <param name="table">The table.</param>
    /// <param name="entriesPerBlock">Above 1 each block counts as so many neighbouring parts of its page: [S, Hkv,
    /// MaxBlocks * parts] with part n of page p being p * parts + n.</param>
    public ArrayView<int> Of(PageTable table, int entriesPerBlock = 1)
    {
        Entry? found = null;
        foreach (var entry in _entries)
            if (entry.Table.TryGetTarget(out var known) && known == table && entry.EntriesPerBlock == entriesPerBlock)
                found = entry;
        if (found is not null && found.Version == table.Version)
            return found.Copy.View;
        Remove(entry => entry == found || !entry.Table.TryGetTarget(out _));
        long count = (long)table.Sequences * table.KeyValueHeads * table.MaxBlocks * entriesPerBlock;
        if (count > Array.MaxLength)
            throw new ArgumentException(
                $"a page table of {table.Sequences} sequences, {table.KeyValueHeads} KV heads and {table.MaxBlocks} "
                + $"blocks of {entriesPerBlock} parts: {count:N0} entries, a kernel can index {Array.MaxLength:N0}");
        var pages = new int[count];
        int at = 0;
        for (int s = 0; s < table.Sequences; s++)
            for (int head = 0; head < table.KeyValueHeads; head++)
                foreach (int page in table.Row(s, head))
                    for (int part = 0; part < entriesPerBlock; part++)
                        pages[at++] = page == PageTable.None ? PageTable.None : page * entriesPerBlock + part;
        var copy = new HostCopy<int>(queue, pages);
        _entries.Add(new Entry(new WeakReference<PageTable>(table), table.Version, entriesPerBlock, copy));
        return copy.View;
    }

    /// <summary>Frees all copies.</summary>
    public void Clear() => Remove(_ => true);

    private void Remove(Predicate<Entry> isDead)
    {
        foreach (var entry in _entries)
            if (isDead(entry))
                entry.Copy.Dispose();
        _entries.RemoveAll(isDead);
    }

    private sealed record Entry(WeakReference<PageTable> Table, long Version, int EntriesPerBlock, HostCopy<int> Copy);
}

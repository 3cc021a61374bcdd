using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.Backends;

namespace S2ILGPU.Memory;

/// <summary>Page tables on the device [S, Hkv, MaxBlocks], copied again only when they changed, and freed when nobody has the table any more.</summary>
internal sealed class PageTableCopies
{
    private readonly List<Entry> _entries = [];

    /// <summary>The device's copy of a table as it is now.</summary>
    public ArrayView<int> On(DeviceAllocator memory, AcceleratorStream stream, PageTable table)
    {
        Entry? found = null;
        foreach (var entry in _entries)
            if (entry.Table.TryGetTarget(out var known) && known == table)
                found = entry;
        if (found is not null && found.Version == table.Version)
            return found.Copy.View;
        Remove(entry => entry == found || !entry.Table.TryGetTarget(out _));
        var pages = new int[table.Sequences * table.KeyValueHeads * table.MaxBlocks];
        for (int s = 0, row = 0; s < table.Sequences; s++)
            for (int head = 0; head < table.KeyValueHeads; head++, row++)
                table.Row(s, head).CopyTo(pages.AsSpan(row * table.MaxBlocks));
        var copy = new HostCopy<int>(memory, stream, pages);
        _entries.Add(new Entry(new WeakReference<PageTable>(table), table.Version, copy));
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

    private sealed record Entry(WeakReference<PageTable> Table, long Version, HostCopy<int> Copy);
}

using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.Backends;
using S2ILGPU.Kernels;
using S2ILGPU.Launch;
using S2ILGPU.Memory;

namespace S2ILGPU.Attention;

/// <summary>The lists of a launch, on the host and on the device.</summary>
internal sealed class DevicePlan : IDisposable
{
    private readonly HostCopy<RowTile> _rows, _columns;
    private readonly HostCopy<int> _entries, _positions;
    private readonly HostCopy<uint> _masks;
    private (WeakReference<PageTable> Table, long Version)? _checked;

    /// <summary>Copies lists to the device.</summary>
    public DevicePlan(TileLists lists, DeviceAllocator memory, AcceleratorStream stream)
    {
        Host = lists;
        _rows = new HostCopy<RowTile>(memory, stream, lists.Rows);
        _columns = new HostCopy<RowTile>(memory, stream, lists.Columns);
        _entries = new HostCopy<int>(memory, stream, lists.Entries);
        _positions = new HostCopy<int>(memory, stream, lists.Positions);
        _masks = new HostCopy<uint>(memory, stream, lists.Masks);
    }

    /// <summary>The lists on the host.</summary>
    public TileLists Host { get; }

    /// <summary>Number of row tiles.</summary>
    public int Rows => Host.Rows.Length;

    /// <summary>The 64-row tiles of the columns' side, in packed order.</summary>
    public ArrayView<RowTile> Columns => _columns.View;

    /// <summary>The lists on the device.</summary>
    /// <param name="pages">The page table where keys lie in pages; otherwise default.</param>
    public ColumnLists Lists(ArrayView<int> pages) =>
        new() { Rows = _rows.View, Entries = _entries.View, Positions = _positions.View, Masks = _masks.View, Pages = pages };

    /// <summary>Makes sure that every block of the lists has a page; O(1) while the table stays as it is.</summary>
    /// <exception cref="ArgumentException">A kept block has no page; the message names it.</exception>
    public void CheckPages(PageTable table, TileGeometry geometry)
    {
        if (_checked is { } known && known.Version == table.Version && known.Table.TryGetTarget(out var last) && last == table)
            return;
        int parts = geometry.EntriesPerBlock;
        foreach (var row in Host.Rows)
            for (int e = row.Start * geometry.EntriesPerTile; e < row.End * geometry.EntriesPerTile; e++)
            {
                int at = (row.ColumnBase + Host.Entries[e]) / parts, line = at / table.MaxBlocks, block = at % table.MaxBlocks;
                if (table[line / table.KeyValueHeads, line % table.KeyValueHeads, block] == PageTable.None)
                    throw new ArgumentException($"block {block} of KV head {line % table.KeyValueHeads} of sequence {line / table.KeyValueHeads} is kept but has no page");
            }
        _checked = (new WeakReference<PageTable>(table), table.Version);
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        _rows.Dispose();
        _columns.Dispose();
        _entries.Dispose();
        _positions.Dispose();
        _masks.Dispose();
    }
}

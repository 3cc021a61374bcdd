using System.Runtime.CompilerServices;
using ILGPU;
using S2ILGPU.Engines;
using S2ILGPU.Lists;
using S2ILGPU.Queue;
using S2ILGPU.Tiles;

namespace S2ILGPU.Attention;

/// <summary>The lists of a launch, on the host and on the device.</summary>
internal sealed class DevicePlan : IDisposable
{
    private readonly List<IDisposable> _copies = [];
    private readonly DeviceQueue _queue;
    private HostCopy<RowTile>? _rows;
    private ColumnLists _lists;
    private readonly ConditionalWeakTable<PageTable, StrongBox<long>> _checked = [];

    /// <summary>Copies lists to the device.</summary>
    public DevicePlan(TileLists lists, DeviceQueue queue)
    {
        (Host, _queue) = (lists, queue);
        try
        {
            Columns = Copied(lists.Columns, queue);
            _rows = new HostCopy<RowTile>(queue, lists.Rows);
            _lists = new ColumnLists
            {
                Rows = _rows.View,
                Entries = Copied(lists.Entries, queue),
                Positions = Copied(lists.Positions, queue),
                Masks = Copied(lists.Masks, queue),
            };
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The lists on the host.</summary>
    public TileLists Host { get; }

    /// <summary>Number of row tiles.</summary>
    public int Rows => Host.Rows.Length;

    /// <summary>The 64-row tiles of the columns' side, in packed order.</summary>
    public ArrayView<RowTile> Columns { get; }

    /// <summary>The lists on the device.</summary>
    /// <param name="pages">The page table where keys lie in pages; otherwise default.</param>
    public ColumnLists Lists(ArrayView<int> pages) => _lists with { Pages = pages };

    /// <summary>Moves the queries of a decoding step to the last positions of sequences that are still in the same
    /// entries: the lists stay, only the row tiles are copied again, to memory that no kernel reads.</summary>
    public void MoveTo(ReadOnlySpan<Sequence> sequences)
    {
        for (int n = 0; n < Host.Rows.Length; n++)
        {
            int end = sequences[Host.SequenceOfRows[n]].KeyCount;
            (Host.Rows[n].FirstPosition, Host.Rows[n].ColumnEnd) = (end - 1, end);
        }
        var moved = new HostCopy<RowTile>(_queue, Host.Rows);
        _rows!.Dispose();
        (_rows, _lists.Rows) = (moved, moved.View);
    }

    /// <summary>Parts that the lists of decoding are cut into, so that all multiprocessors have work.</summary>
    public int SplitsOn(DeviceQueue queue)
    {
        int longest = Rows == 0 ? 0 : Host.Rows[0].End - Host.Rows[0].Start;    // long lists come first
        int groups = queue.IsEmulated ? 6 : 4 * queue.Multiprocessors;          // emulated: some parts, for the tests
        return Math.Clamp(groups / Math.Max(1, Rows), 1, Math.Max(1, longest));
    }

    /// <summary>Makes sure that every block of the lists has a page; O(1) while the table stays as it is.</summary>
    /// <exception cref="ArgumentException">A kept block has no page; the message names it.</exception>
    public void CheckPages(PageTable table, TileGeometry geometry)
    {
        if (_checked.TryGetValue(table, out var version) && version.Value == table.Version)
            return;
        int parts = geometry.EntriesPerBlock;
        foreach (var row in Host.Rows)
            for (int e = row.Start * geometry.EntriesPerTile; e < row.End * geometry.EntriesPerTile; e++)
            {
                int at = (row.ColumnBase + Host.Entries[e]) / parts, line = at / table.MaxBlocks,
                    block = at % table.MaxBlocks;
                if (table[line / table.KeyValueHeads, line % table.KeyValueHeads, block] == PageTable.None)
                    throw new ArgumentException(
                        $"block {block} of KV head {line % table.KeyValueHeads} of sequence "
                        + $"{line / table.KeyValueHeads} is kept but has no page");
            }
        _checked.GetOrCreateValue(table).Value = table.Version;
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        _rows?.Dispose();
        foreach (var copy in _copies)
            copy.Dispose();
    }

    private ArrayView<T> Copied<T>(T[] values, DeviceQueue queue) where T : unmanaged
    {
        var copy = new HostCopy<T>(queue, values);
        _copies.Add(copy);
        return copy.View;
    }
}

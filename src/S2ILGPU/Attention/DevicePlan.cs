using ILGPU;
using S2ILGPU.Engines;
using S2ILGPU.Lists;
using S2ILGPU.Queue;
using S2ILGPU.Tensors;
using S2ILGPU.Tiles;

namespace S2ILGPU.Attention;

/// <summary>The lists of a launch, on the host and on the device.</summary>
internal sealed class DevicePlan : IDisposable
{
    private readonly DeviceQueue _queue;
    private readonly List<IDisposable> _room = [];
    private readonly HostCopy<RowTile> _columns;
    private HostCopy<RowTile>? _rows;
    private HostCopy<int>? _entries, _positions;
    private HostCopy<uint>? _masks;
    private ColumnLists _lists;
    private KeptPages? _kept;

    /// <summary>Copies lists to the device.</summary>
    public DevicePlan(TileLists lists, DeviceQueue queue)
    {
        (Host, _queue) = (lists, queue);
        _columns = new HostCopy<RowTile>(queue, lists.Columns);
        try
        {
            CopyRows();
            var (tiles, perTile) = lists.Room;
            if (tiles == 0)
                CopyTiles();
            else
                (_lists.Entries, _lists.Positions, _lists.Masks) = (Room(tiles * perTile), Room(tiles * perTile),
                    Room(tiles).Cast<uint>());
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The lists on the host.</summary>
    public TileLists Host { get; private set; }

    /// <summary>Number of row tiles.</summary>
    public int Rows => Host.Rows.Length;

    /// <summary>The 64-row tiles of the columns' side, in packed order.</summary>
    public ArrayView<RowTile> Columns => _columns.View;

    /// <summary>The lists on the device.</summary>
    /// <param name="pages">The page table where keys lie in pages; otherwise default.</param>
    public ColumnLists Lists(ArrayView<int> pages) => _lists with { Pages = pages };

    /// <summary>Goes on to the next step of decoding: all row tiles are copied, and the column tiles that
    /// changed.</summary>
    /// <param name="lists">Lists from the column tiles of the step before.</param>
    public void Follow(TileLists lists)
    {
        bool isWider = lists.Entries != Host.Entries;
        Host = lists;
        CopyRows();
        if (isWider)
            CopyTiles();
        else
            foreach (var (start, count) in lists.Changes!.Tiles)
            {
                int perTile = lists.Entries.Length / lists.Masks.Length;
                _entries!.Update(lists.Entries, start * perTile, count * perTile);
                _positions!.Update(lists.Positions, start * perTile, count * perTile);
                _masks!.Update(lists.Masks, start, count);
            }
        _kept?.Follow(lists);
    }

    /// <summary>Parts that the lists are cut into, so that all multiprocessors have work; 1 where the row tiles alone
    /// fill the device. Depends on shapes and the device alone.</summary>
    /// <param name="queue">The device.</param>
    /// <param name="groupsPerMultiprocessor">Groups of the kernel that fill a multiprocessor.</param>
    /// <param name="leastTiles">Column tiles that a part of the longest list must have to pay for its merge.</param>
    private int SplitsOn(DeviceQueue queue, int groupsPerMultiprocessor, int leastTiles)
    {
        int longest = Rows == 0 ? 0 : Host.Rows[0].End - Host.Rows[0].Start;    // long lists come first
        // emulated: some parts, for the tests
        int groups = queue.IsEmulated ? 6 : groupsPerMultiprocessor * queue.Multiprocessors;
        int most = longest / (queue.IsEmulated ? 1 : leastTiles);
        return Math.Clamp(groups / Math.Max(1, Rows), 1, Math.Max(1, most));
    }

    /// <summary>Parts for kernels of single queries: memory bandwidth needs many groups in flight.</summary>
    public int DecodeSplitsOn(DeviceQueue queue) => SplitsOn(queue, 4, 1);

    /// <summary>Parts for kernels of tiles of queries: a part writes 4 bytes of O where a column tile reads 4 of K and
    /// V, and all of them are read again.</summary>
    public int ForwardSplitsOn(DeviceQueue queue) => SplitsOn(queue, 2, 4);

    /// <summary>Makes sure that every block of the lists has a page, see <see cref="KeptPages"/>.</summary>
    /// <exception cref="ArgumentException">A kept block has no page; the message names it.</exception>
    public void CheckPages(PageTable table, TileGeometry geometry) =>
        (_kept ??= new KeptPages(Host, geometry, table)).Check(table);

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        foreach (var copy in (IDisposable?[])[_columns, _rows, _entries, _positions, _masks, .. _room])
            copy?.Dispose();
    }

    private void CopyRows()
    {
        _rows?.Dispose();
        _rows = new HostCopy<RowTile>(_queue, Host.Rows);
        _lists.Rows = _rows.View;
    }

    private void CopyTiles()
    {
        foreach (var copy in (IDisposable?[])[_entries, _positions, _masks])
            copy?.Dispose();
        _entries = new HostCopy<int>(_queue, Host.Entries);
        _positions = new HostCopy<int>(_queue, Host.Positions);
        _masks = new HostCopy<uint>(_queue, Host.Masks);
        (_lists.Entries, _lists.Positions, _lists.Masks) = (_entries.View, _positions.View, _masks.View);
    }

    // Memory that the device writes.
    private ArrayView<int> Room(int count)
    {
        var room = _queue.Allocate(new Shape(count), ElementType.Int32);
        _room.Add(room);
        return _queue.Tensors.Ints(room);
    }
}

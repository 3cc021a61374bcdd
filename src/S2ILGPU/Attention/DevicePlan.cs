using System.Runtime.CompilerServices;
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
    private readonly List<IDisposable> _copies = [];
    private readonly DeviceQueue _queue;
    private HostCopy<RowTile>? _rows;
    private ColumnLists _lists;
    private readonly ConditionalWeakTable<PageTable, StrongBox<long>> _checked = [];
    private bool[]? _keptBlocks;

    /// <summary>Copies lists to the device.</summary>
    public DevicePlan(TileLists lists, DeviceQueue queue)
    {
        (Host, _queue) = (lists, queue);
        try
        {
            Columns = Copied(lists.Columns, queue);
            _rows = new HostCopy<RowTile>(queue, lists.Rows);
            var (tiles, perTile) = lists.Room;
            _lists = new ColumnLists
            {
                Rows = _rows.View,
                Entries = tiles > 0 ? Room(tiles * perTile) : Copied(lists.Entries, queue),
                Positions = tiles > 0 ? Room(tiles * perTile) : Copied(lists.Positions, queue),
                Masks = tiles > 0 ? Room(tiles).Cast<uint>() : Copied(lists.Masks, queue),
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

    /// <summary>Makes sure that every block of the lists has a page. All of them are looked up for the first step with
    /// a table, then what was written since; O(1) while the table stays as it is.</summary>
    /// <exception cref="ArgumentException">A kept block has no page; the message names it.</exception>
    public void CheckPages(PageTable table, TileGeometry geometry)
    {
        bool isKnown = _checked.TryGetValue(table, out var version);
        if (isKnown && version!.Value == table.Version)
            return;
        var kept = _keptBlocks ??= KeptBlocks(table.MaxBlocks, geometry);
        if (isKnown && table.TryGetWritesSince(version!.Value, out var writes))
        {
            foreach (int at in writes)
                if (at < kept.Length && kept[at])
                    CheckPage(table, at);
        }
        else
            for (int at = 0; at < kept.Length; at++)
                if (kept[at])
                    CheckPage(table, at);
        _checked.GetOrCreateValue(table).Value = table.Version;
    }

    private static void CheckPage(PageTable table, int at)
    {
        var (line, block) = Math.DivRem(at, table.MaxBlocks);
        var (sequence, head) = Math.DivRem(line, table.KeyValueHeads);
        if (table[sequence, head, block] == PageTable.None)
            throw new ArgumentException(
                $"block {block} of KV head {head} of sequence {sequence} is kept but has no page");
    }

    // Which entries of a page table the lists name; the tables of a plan have as many blocks per head.
    private bool[] KeptBlocks(int maxBlocks, TileGeometry geometry)
    {
        int lines = 0;
        foreach (var row in Host.Rows)
            lines = Math.Max(lines, row.ColumnBase / geometry.EntriesPerBlock / maxBlocks + 1);
        var kept = new bool[lines * maxBlocks];
        foreach (var row in Host.Rows)
            if (Host.Room.Tiles > 0) // the device may keep any block
                kept.AsSpan(row.ColumnBase / geometry.EntriesPerBlock, (row.ColumnEnd - 1) / geometry.BlockTokens + 1)
                    .Fill(true);
            else
                foreach (int entry in Host.Entries.AsSpan(row.Start * geometry.EntriesPerTile,
                    (row.End - row.Start) * geometry.EntriesPerTile))
                    kept[(row.ColumnBase + entry) / geometry.EntriesPerBlock] = true;
        return kept;
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        _rows?.Dispose();
        foreach (var copy in _copies)
            copy.Dispose();
    }

    // Memory that the device writes.
    private ArrayView<int> Room(int count)
    {
        var room = _queue.Allocate(new Shape(count), ElementType.Int32);
        _copies.Add(room);
        return _queue.Tensors.Ints(room);
    }

    private ArrayView<T> Copied<T>(T[] values, DeviceQueue queue) where T : unmanaged
    {
        var copy = new HostCopy<T>(queue, values);
        _copies.Add(copy);
        return copy.View;
    }
}

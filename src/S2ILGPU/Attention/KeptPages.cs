using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using S2ILGPU.Engines;
using S2ILGPU.Lists;
using S2ILGPU.Tiles;

namespace S2ILGPU.Attention;

/// <summary>Makes sure that every block of a plan's lists has a page. All of them are looked up for the first step
/// with a table, then what was written to the table and what the lists keep since: O(1) while both stay as they
/// are.</summary>
internal sealed class KeptPages
{
    private readonly TileGeometry _geometry;
    private readonly bool[] _kept;                                                // [S, Hkv, MaxBlocks]
    private readonly bool[] _next;                                                // of a sequence
    private readonly List<int> _added = [];
    private readonly ConditionalWeakTable<PageTable, Versions> _checked = [];
    private long _forgotten;

    /// <summary>The blocks of some lists.</summary>
    /// <param name="lists">The lists.</param>
    /// <param name="geometry">Blocks and entries.</param>
    /// <param name="table">A table of the shape that all have.</param>
    public KeptPages(TileLists lists, TileGeometry geometry, PageTable table)
    {
        _geometry = geometry;
        _next = new bool[table.KeyValueHeads * table.MaxBlocks];
        _kept = new bool[table.Sequences * _next.Length];
        foreach (var row in lists.Rows)
            Mark(lists, row, _kept, 0);
    }

    /// <summary>Goes on to the lists of the next step.</summary>
    public void Follow(TileLists lists)
    {
        if (_added.Count > _kept.Length)
        {
            _forgotten += _added.Count;
            _added.Clear();
        }
        for (int s = 0; s < lists.Changes!.Sequences.Length; s++)
            if (lists.Changes.Sequences[s])
                Follow(lists, s);
    }

    /// <summary>Looks up the pages of a step.</summary>
    /// <exception cref="ArgumentException">A kept block has no page; the message names it.</exception>
    public void Check(PageTable table)
    {
        var seen = _checked.GetOrCreateValue(table);
        long added = _forgotten + _added.Count;
        if (seen.Table == table.Version && seen.Added == added)
            return;
        if (seen.Table >= 0 && seen.Added >= _forgotten && table.TryGetWritesSince(seen.Table, out var writes))
        {
            foreach (int at in writes)
                Check(table, at);
            foreach (int at in CollectionsMarshal.AsSpan(_added)[(int)(seen.Added - _forgotten)..])
                Check(table, at);
        }
        else
            for (int at = 0; at < _kept.Length; at++)
                Check(table, at);
        (seen.Table, seen.Added) = (table.Version, added);
    }

    private void Follow(TileLists lists, int s)
    {
        int first = s * _next.Length;
        Array.Clear(_next);
        for (int n = 0; n < lists.Rows.Length; n++)
            if (lists.SequenceOfRows[n] == s)
                Mark(lists, lists.Rows[n], _next, first);
        var kept = _kept.AsSpan(first, _next.Length);
        for (int at = 0; (at += kept[at..].CommonPrefixLength(_next.AsSpan(at))) < _next.Length; at++)
            if (_next[at])
                _added.Add(first + at);
        _next.CopyTo(kept);
    }

    // Marks the blocks of a row in marks that begin with some block.
    private void Mark(TileLists lists, in RowTile row, bool[] kept, int firstBlock)
    {
        int perTile = _geometry.EntriesPerTile, shift = _geometry.EntriesPerBlock - 1, // entries: blocks or halves
            columnBase = row.ColumnBase - (firstBlock << shift);
        if (lists.Room.Tiles > 0) // the device may keep any block
            kept.AsSpan(columnBase >> shift, (row.ColumnEnd - 1) / _geometry.BlockTokens + 1).Fill(true);
        else
            foreach (int entry in lists.Entries.AsSpan(row.Start * perTile, (row.End - row.Start) * perTile))
                kept[(columnBase + entry) >> shift] = true;
    }

    private void Check(PageTable table, int at)
    {
        if (at >= _kept.Length || !_kept[at])
            return;
        var (line, block) = Math.DivRem(at, table.MaxBlocks);
        var (sequence, head) = Math.DivRem(line, table.KeyValueHeads);
        if (table[sequence, head, block] == PageTable.None)
            throw new ArgumentException(
                $"block {block} of KV head {head} of sequence {sequence} is kept but has no page");
    }

    // Of a table, and entries added to the lists, up to which pages were looked up.
    private sealed class Versions
    {
        public long Table { get; set; } = -1;

        public long Added { get; set; }
    }
}

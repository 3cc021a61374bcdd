using System.Runtime.CompilerServices;
using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.Portable;

/// <summary>Where the columns of a column tile lie.</summary>
internal static class PortableColumns
{
    /// <summary>Thread c finds the key and the value of column c: in pages, or in the tile of keys that the entry
    /// counts. A barrier must follow.</summary>
    public static void Find<TKey>(in PortableForwardArguments a, in RowTile rows, int tile, int c,
        ArrayView<long> keyStarts, ArrayView<long> valueStarts, in PortableScales scales)
        where TKey : struct, IReadElement
    {
        int block = PortableTiles.Block(a.Lists, a.BlockColumns, rows.ColumnBase, tile, c), within = c % a.BlockColumns;
        if (a.PageEntries == 0)
        {
            int perTile = PortableTiles.Tile / a.BlockColumns, packed = block / perTile;
            var columns = a.Columns[packed];
            int first = columns.FirstRow + (block - packed * perTile) * a.BlockColumns + within;
            keyStarts[c] = PortableTiles.Start(columns, a.KeyRows, first);
            valueStarts[c] = PortableTiles.Start(columns, a.ValueRows, first);
            return;
        }
        bool exists = PortableTiles.Position(a.Lists, a.BlockColumns, tile, c) < rows.ColumnEnd;
        int physical = a.Lists.Pages[block], page = physical / a.PageEntries,
            row = (physical - page * a.PageEntries) * a.BlockColumns + within;
        bool isThere = exists && physical >= 0;
        long key = a.KeyRows.Offset + page * a.KeyRows.Batch, value = a.ValueRows.Offset + page * a.ValueRows.Batch;
        keyStarts[c] = isThere ? key + row * a.KeyRows.Row : PortableTiles.None;
        valueStarts[c] = isThere ? value + row * a.ValueRows.Row : PortableTiles.None;
        if (TKey.HasScales)
        {
            int tokens = a.PageEntries * a.BlockColumns;
            scales.Set(c, isThere ? Scale(a.Key, key, tokens, row, a.HeadDim) : 0,
                isThere ? Scale(a.Value, value, tokens, row, a.HeadDim) : 0);
        }
    }

    /// <summary>The scale of a row of a page of Int8, behind all of its rows.</summary>
    /// <param name="memory">The pages.</param>
    /// <param name="page">First element of the page.</param>
    /// <param name="tokens">Rows of a page.</param>
    /// <param name="row">The row.</param>
    /// <param name="headDim">D.</param>
    public static float Scale(ArrayView<int> memory, long page, int tokens, int row, int headDim) =>
        StoredSingle.Load(memory, (page + (long)tokens * headDim >> 2) + row);
}

/// <summary>The scales of the keys and values of a column tile, in shared memory; 1 where the element type has
/// none.</summary>
internal struct PortableScales
{
    private ArrayView<float> _keys, _values;

    /// <summary>Takes the memory, which a kernel of other types does not use.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PortableScales Allocate() => new()
    {
        _keys = SharedMemory.Allocate<float>(PortableTiles.Tile),
        _values = SharedMemory.Allocate<float>(PortableTiles.Tile),
    };

    /// <summary>Sets those of column c.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Set(int c, float key, float value) => (_keys[c], _values[c]) = (key, value);

    /// <summary>Of the key of column c.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float OfKey<TKey>(int c) where TKey : struct, IReadElement => TKey.HasScales ? _keys[c] : 1;

    /// <summary>Of the value of column c.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float OfValue<TKey>(int c) where TKey : struct, IReadElement => TKey.HasScales ? _values[c] : 1;
}

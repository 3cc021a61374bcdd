using ILGPU;
using ILGPU.Algorithms;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.Portable;

/// <summary>Arguments of <see cref="PortableForward"/>.</summary>
internal struct PortableForwardArguments
{
    /// <summary>Row tiles of queries and the column tiles of keys that they meet.</summary>
    public ColumnLists Lists;

    /// <summary>The tiles of keys that plain entries are numbered by; unused with pages.</summary>
    public ArrayView<RowTile> Columns;

    /// <summary>Q [B, Nq, H, D] in float32; K and V [B, Nk, Hkv, D], or pages [P, blockTokens, D], of the kernel's key
    /// type. Read.</summary>
    public ArrayView<int> Query, Key, Value;

    /// <summary>O [B, Nq, H, D], and LSE [B, H, Nq], natural logarithm, -inf for rows that keep nothing.
    /// Written.</summary>
    public ArrayView<float> Output, LogSumExp;

    /// <summary>Where the rows of each lie; of pages, Batch is the distance between pages.</summary>
    public RowStrides QueryRows, KeyRows, ValueRows, OutputRows, LogSumExpRows;

    /// <summary>Columns of an entry, entries of a page (or 0 for plain keys), head dimension, whether keys must not lie
    /// after the query.</summary>
    public int BlockColumns, PageEntries, HeadDim, Causal;

    /// <summary>scale * log2(e).</summary>
    public float ScaleLog2;
}

/// <summary>
/// <c>S = Q K^T scale, m = max S, P = exp(S - m), l = sum P, O = P V / l, LSE = m + ln l</c>, online over the column
/// tiles of a row tile. A group owns a row tile and 64 columns of O (Grid.Y); a thread owns 8x8 elements of S and O,
/// and for the softmax one row.
/// </summary>
/// <remarks>Roofline: shared memory and fp32 units alike, 16 loads for 64 multiplications and additions per thread and
/// step; the share was not measured.</remarks>
internal static class PortableForward
{
    public static void Kernel<TKey>(PortableForwardArguments a)
        where TKey : struct, IStoredElement
    {
        var chunks = SharedMemory.Allocate<float>(2 * PortableTiles.Tile * PortableTiles.ChunkPitch);
        var weights = SharedMemory.Allocate<float>(PortableTiles.Tile * PortableTiles.TilePitch);
        var factors = SharedMemory.Allocate<float>(PortableTiles.Tile);
        var queryStarts = SharedMemory.Allocate<long>(PortableTiles.Tile);
        var keyStarts = SharedMemory.Allocate<long>(PortableTiles.Tile);
        var valueStarts = SharedMemory.Allocate<long>(PortableTiles.Tile);

        var rows = a.Lists.Rows[Grid.IdxX];
        int i = Group.IdxX, slice = Grid.IdxY, lastPosition = a.Causal != 0 ? rows.FirstPosition + i : int.MaxValue;
        float maximum = float.NegativeInfinity, sum = 0;
        var output = new Block8x8();
        queryStarts[i] = PortableTiles.Start(rows, a.QueryRows, rows.FirstRow + i);

        for (int tile = rows.Start; tile < rows.End; tile++)
        {
            PortableColumns.Find(a, rows, tile, i, keyStarts, valueStarts);
            Group.Barrier();

            var scores = new Block8x8();
            for (int d = 0; d < a.HeadDim; d += PortableTiles.Chunk)
            {
                PortableTiles.LoadChunks<TKey>(chunks, a.Query, queryStarts, a.Key, keyStarts, d, a.HeadDim);
                Group.Barrier();
                PortableTiles.Dot(ref scores, chunks, IntrinsicMath.Min(PortableTiles.Chunk, a.HeadDim - d));
                Group.Barrier();
            }
            scores.Store(weights, i % 8, i / 8, PortableTiles.TilePitch);
            PortableTiles.Load<TKey>(chunks, PortableTiles.Tile, PortableTiles.Tile, a.Value, valueStarts,
                slice * PortableTiles.Tile, a.HeadDim);
            Group.Barrier();

            factors[i] = Weigh(a, rows, tile, i, lastPosition, weights, ref maximum, ref sum);
            Group.Barrier();
            output.ScaleRows(Floats8.Load(factors, i / 8, 1));
            PortableTiles.Multiply(ref output, weights, chunks);
            Group.Barrier();
        }

        factors[i] = sum > 0 ? 1 / sum : 0;
        if (slice == 0 && PortableTiles.Start(rows, a.LogSumExpRows, rows.FirstRow + i) is var statistic
            && statistic != PortableTiles.None)
            a.LogSumExp[statistic] = sum > 0 ? (maximum + XMath.Log2(sum)) * 0.693147180559945f
                : float.NegativeInfinity;
        Group.Barrier();
        output.ScaleRows(Floats8.Load(factors, i / 8, 1));
        PortableTiles.Store(output, a.Output, rows, a.OutputRows, slice, a.HeadDim);
    }

    // Row i: P = exp2(S - m') in place of S, l = l exp2(m - m') + sum P; returns exp2(m - m'), the factor of what was
    // summed before.
    private static float Weigh(in PortableForwardArguments a, in RowTile rows, int tile, int i, int lastPosition,
        ArrayView<float> weights, ref float maximum, ref float sum)
    {
        uint mask = a.Lists.Masks[tile];
        float before = maximum;
        for (int c = 0; c < PortableTiles.Tile; c++)
        {
            float score = weights[i * PortableTiles.TilePitch + c] * a.ScaleLog2;
            if (tile >= rows.FullEnd
                && !PortableTiles.IsVisible(mask, i, c, PortableTiles.Position(a.Lists, a.BlockColumns, tile, c),
                rows.ColumnEnd, lastPosition))
                score = float.NegativeInfinity;
            weights[i * PortableTiles.TilePitch + c] = score;
            maximum = XMath.Max(maximum, score);
        }
        // Nothing seen so far: any finite number does, since all weights are 0.
        float shift = maximum == float.NegativeInfinity ? 0 : maximum, factor = XMath.Exp2(before - shift), added = 0;
        for (int c = 0; c < PortableTiles.Tile; c++)
        {
            float weight = XMath.Exp2(weights[i * PortableTiles.TilePitch + c] - shift);
            weights[i * PortableTiles.TilePitch + c] = weight;
            added += weight;
        }
        sum = sum * factor + added;
        return factor;
    }
}

/// <summary>Where the columns of a column tile lie.</summary>
internal static class PortableColumns
{
    /// <summary>Thread c finds the key and the value of column c: in pages, or in the tile of keys that the entry
    /// counts.</summary>
    public static void Find(in PortableForwardArguments a, in RowTile rows, int tile, int c, ArrayView<long> keyStarts,
        ArrayView<long> valueStarts)
    {
        int block = PortableTiles.Block(a.Lists, a.BlockColumns, rows.ColumnBase, tile, c), within = c % a.BlockColumns;
        if (a.PageEntries == 0)
        {
            int perTile = PortableTiles.Tile / a.BlockColumns, packed = block / perTile;
            var columns = a.Columns[packed];
            int row = columns.FirstRow + (block - packed * perTile) * a.BlockColumns + within;
            keyStarts[c] = PortableTiles.Start(columns, a.KeyRows, row);
            valueStarts[c] = PortableTiles.Start(columns, a.ValueRows, row);
            return;
        }
        bool exists = PortableTiles.Position(a.Lists, a.BlockColumns, tile, c) < rows.ColumnEnd;
        int physical = a.Lists.Pages[block], page = physical / a.PageEntries;
        long row64 = (physical - page * a.PageEntries) * a.BlockColumns + within;
        keyStarts[c] = exists && physical >= 0 ? a.KeyRows.Offset + page * a.KeyRows.Batch + row64 * a.KeyRows.Row
            : PortableTiles.None;
        valueStarts[c] = exists && physical >= 0 ? a.ValueRows.Offset + page * a.ValueRows.Batch + row64
            * a.ValueRows.Row : PortableTiles.None;
    }
}

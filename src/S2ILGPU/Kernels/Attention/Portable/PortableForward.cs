using System.Runtime.CompilerServices;
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

    /// <summary>O [B, Nq, H, D], of the type of Q. Written.</summary>
    public ArrayView<int> Output;

    /// <summary>LSE [B, H, Nq], natural logarithm, -inf for rows that keep nothing. Written.</summary>
    public ArrayView<float> LogSumExp;

    /// <summary>Parts of each list: as many as wrote <see cref="NonFinite"/> before a repair. A launch of several parts
    /// writes O [row tile, 64, part, D] and LSE [row tile, 64, part], which are merged by <see
    /// cref="PortableMerge"/>.</summary>
    public int Parts;

    /// <summary>Which row tiles a repair computes, as <see cref="TensorCore.Forward"/> writes it; otherwise
    /// unused.</summary>
    public ArrayView<int> NonFinite;

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
    /// <summary>The kernel, for queries and outputs in single precision. Grid: row tiles, slices, parts.</summary>
    public static void Kernel<TKey>(PortableForwardArguments a)
        where TKey : struct, IReadElement
    {
        var rows = a.Lists.Rows[Grid.IdxX];
        long tiles = rows.End - rows.Start;
        var target = rows;
        if (a.Parts > 1)
        {
            rows.End = rows.Start + (int)(tiles * (Grid.IdxZ + 1) / a.Parts);
            rows.Start += (int)(tiles * Grid.IdxZ / a.Parts);
            target = new RowTile
            {
                Batch = Grid.IdxX,
                Head = Grid.IdxZ,
                BeginRow = rows.BeginRow - rows.FirstRow,
                EndRow = rows.EndRow - rows.FirstRow,
            };
        }
        ComputeTile<StoredSingle, TKey>(a, PortableForwardMemory.Allocate(), rows, target, a.Parts > 1, 0);
    }

    /// <summary>Computes again the row tiles of 64 or 128 rows in which a tensor-core kernel found an output that is
    /// not finite beside a log-sum-exp that is: it multiplies all rows of a tile by all of its columns, and 0 * NaN is
    /// NaN. Here a row meets what it sees and nothing else. Grid: every 64th row tile, slices, halves of the row
    /// tiles.</summary>
    public static void Repair<TElement>(PortableForwardArguments a)
        where TElement : struct, IStoredElement
    {
        var memory = PortableForwardMemory.Allocate();
        var isWanted = SharedMemory.Allocate<int>(PortableTiles.Tile);
        int half = Grid.IdxZ;
        PortableRepair.Find(isWanted, a.NonFinite, a.Parts, a.Lists.Rows.IntLength, half * 4, 4, 1);
        Group.Barrier();
        for (int n = 0; n < PortableTiles.Tile; n++)
            if (isWanted[n] != 0)
            {
                var rows = a.Lists.Rows[Grid.IdxX * PortableTiles.Tile + n];
                rows.FirstRow += half * PortableTiles.Tile;
                rows.FirstPosition += half * PortableTiles.Tile;
                rows.SeenRows >>= half * 4;
                ComputeTile<TElement, TElement>(a, memory, rows, rows, isPart: false, half * 16);
                Group.Barrier();
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ComputeTile<TQuery, TKey>(in PortableForwardArguments a, in PortableForwardMemory memory,
        in RowTile rows, in RowTile target, bool isPart, int maskShift)
        where TQuery : struct, IStoredElement where TKey : struct, IReadElement
    {
        ArrayView<float> chunks = memory.Chunks, weights = memory.Weights, factors = memory.Factors;
        ArrayView<long> queryStarts = memory.QueryStarts, keyStarts = memory.KeyStarts,
            valueStarts = memory.ValueStarts;
        int i = Group.IdxX, slice = Grid.IdxY, lastPosition = a.Causal != 0 ? rows.FirstPosition + i : int.MaxValue;
        float maximum = float.NegativeInfinity, sum = 0;
        var output = new Block8x8();
        queryStarts[i] = PortableTiles.Start(rows, a.QueryRows, rows.FirstRow + i);

        for (int tile = rows.Start; tile < rows.End; tile++)
        {
            PortableColumns.Find<TKey>(a, rows, tile, i, keyStarts, valueStarts, memory.Scales);
            Group.Barrier();

            var scores = new Block8x8();
            for (int d = 0; d < a.HeadDim; d += PortableTiles.Chunk)
            {
                PortableTiles.LoadChunks<TQuery, TKey>(chunks, a.Query, queryStarts, a.Key, keyStarts, d, a.HeadDim);
                Group.Barrier();
                PortableTiles.Dot(ref scores, chunks, IntrinsicMath.Min(PortableTiles.Chunk, a.HeadDim - d));
                Group.Barrier();
            }
            scores.Store(weights, i % 8, i / 8, PortableTiles.TilePitch);
            PortableTiles.Load<TKey>(chunks, PortableTiles.Tile, PortableTiles.Tile, a.Value, valueStarts,
                slice * PortableTiles.Tile, a.HeadDim);
            Group.Barrier();

            factors[i] = Weigh<TKey>(a, rows, tile, i, lastPosition, maskShift, memory, ref maximum, ref sum);
            Group.Barrier();
            output.ScaleRows(Floats8.Load(factors, i / 8, 1));
            if (tile < rows.FullEnd)
                PortableTiles.Multiply(ref output, weights, chunks);
            else
                PortableTiles.MultiplyVisible(ref output, weights, chunks);
            Group.Barrier();
        }

        // Where a row sees something, a sum of 0 (all scores -inf) or NaN makes it NaN; of a part, only NaN.
        bool isSeen = isPart ? sum != 0 : (rows.SeenRows >> i / 16 & 1) != 0;
        factors[i] = isSeen ? 1 / sum : 0;
        if (slice == 0 && PortableTiles.Start(target, a.LogSumExpRows, target.FirstRow + i) is var statistic
            && statistic != PortableTiles.None)
            a.LogSumExp[statistic] = sum > 0 ? (maximum + XMath.Log2(sum)) * 0.693147180559945f
                : isSeen ? float.NaN : float.NegativeInfinity;
        Group.Barrier();
        output.ScaleRows(Floats8.Load(factors, i / 8, 1));
        PortableTiles.Store<TQuery>(output, a.Output, target, a.OutputRows, slice, a.HeadDim);
    }

    // Row i: P = exp2(S - m') in place of S, l = l exp2(m - m') + sum P; returns exp2(m - m'), the factor of what was
    // summed before.
    private static float Weigh<TKey>(in PortableForwardArguments a, in RowTile rows, int tile, int i, int lastPosition,
        int maskShift, in PortableForwardMemory memory, ref float maximum, ref float sum)
        where TKey : struct, IReadElement
    {
        var weights = memory.Weights;
        uint mask = a.Lists.Masks[tile] >> maskShift;
        float before = maximum;
        for (int c = 0; c < PortableTiles.Tile; c++)
        {
            float score = weights[i * PortableTiles.TilePitch + c] * memory.Scales.OfKey<TKey>(c) * a.ScaleLog2;
            if (tile >= rows.FullEnd
                && !PortableTiles.IsVisible(mask, i, c, PortableTiles.Position(a.Lists, a.BlockColumns, tile, c),
                rows.ColumnEnd, lastPosition))
                score = PortableTiles.Hidden;
            else
                maximum = XMath.Max(maximum, score);
            weights[i * PortableTiles.TilePitch + c] = score;
        }
        // Nothing but scores of -inf so far: any finite number does, since all weights are 0.
        float shift = maximum == float.NegativeInfinity ? 0 : maximum, factor = XMath.Exp2(before - shift), added = 0;
        for (int c = 0; c < PortableTiles.Tile; c++)
        {
            float score = weights[i * PortableTiles.TilePitch + c], weight = XMath.Exp2(score - shift);
            bool isHidden = score == PortableTiles.Hidden;
            weights[i * PortableTiles.TilePitch + c] = isHidden ? score : weight * memory.Scales.OfValue<TKey>(c);
            added += isHidden ? 0 : weight;
        }
        sum = sum * factor + added;
        return factor;
    }
}

/// <summary>The shared memory of <see cref="PortableForward"/>.</summary>
internal struct PortableForwardMemory
{
    /// <summary>A chunk of Q and one of K, or a slice of V; S or P [64, 64]; a factor for each row of O.</summary>
    public ArrayView<float> Chunks, Weights, Factors;

    /// <summary>Where each row of Q, K and V begins.</summary>
    public ArrayView<long> QueryStarts, KeyStarts, ValueStarts;

    /// <summary>The scales of K and V.</summary>
    public PortableScales Scales;

    /// <summary>Takes the memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PortableForwardMemory Allocate() => new()
    {
        Chunks = SharedMemory.Allocate<float>(2 * PortableTiles.Tile * PortableTiles.ChunkPitch),
        Weights = SharedMemory.Allocate<float>(PortableTiles.Tile * PortableTiles.TilePitch),
        Factors = SharedMemory.Allocate<float>(PortableTiles.Tile),
        QueryStarts = SharedMemory.Allocate<long>(PortableTiles.Tile),
        KeyStarts = SharedMemory.Allocate<long>(PortableTiles.Tile),
        ValueStarts = SharedMemory.Allocate<long>(PortableTiles.Tile),
        Scales = PortableScales.Allocate(),
    };
}

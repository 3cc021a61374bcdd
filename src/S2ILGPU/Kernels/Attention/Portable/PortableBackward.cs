using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Algorithms;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.Portable;

/// <summary>Which operands are rows.</summary>
internal interface IBackwardSide
{
    /// <summary>1 when rows are keys and columns queries (dK and dV), 0 when rows are queries and columns keys
    /// (dQ).</summary>
    static abstract int RowsAreKeys { get; }
}

/// <summary>Rows are keys: dK and dV.</summary>
internal readonly struct KeyRows : IBackwardSide
{
    public static int RowsAreKeys => 1;
}

/// <summary>Rows are queries: dQ.</summary>
internal readonly struct QueryRows : IBackwardSide
{
    public static int RowsAreKeys => 0;
}

/// <summary>Arguments of <see cref="PortableBackward"/>; float32. Rows 1 and 2 are K and V where rows are keys,
/// otherwise Q and dO; columns 1 and 2 are the other two.</summary>
internal struct PortableBackwardArguments
{
    /// <summary>Row tiles, and the column tiles that they meet.</summary>
    public ColumnLists Lists;

    /// <summary>The 64-row tiles of the columns' side that entries are numbered by.</summary>
    public ArrayView<RowTile> Columns;

    /// <summary>R1, R2, C1 and C2, [B, N, H, D]. Read.</summary>
    public ArrayView<int> Rows1, Rows2, Columns1, Columns2;

    /// <summary>Where the rows of each lie.</summary>
    public RowStrides Rows1Rows, Rows2Rows, Columns1Rows, Columns2Rows;

    /// <summary>LSE, natural logarithm, and delta of the queries, [B, H, Nq]; or both in the lines of packed queries
    /// that <see cref="TensorCore.Delta"/> writes, for a repair. Read.</summary>
    public ArrayView<float> LogSumExp, Delta, Lines;

    /// <summary>Which row tiles a repair computes, as <see cref="TensorCore.Backward"/> writes it; otherwise
    /// unused.</summary>
    public ArrayView<int> NonFinite;

    /// <summary>Where they lie.</summary>
    public RowStrides LogSumExpRows, DeltaRows;

    /// <summary>dK, or dQ, [B, N, H, D]. Written.</summary>
    public ArrayView<int> Gradient1;

    /// <summary>dV, [B, Nk, Hkv, D]; not touched for dQ. Written.</summary>
    public ArrayView<int> Gradient2;

    /// <summary>Where the rows of the gradients lie.</summary>
    public RowStrides Gradient1Rows, Gradient2Rows;

    /// <summary>Columns of an entry, head dimension, whether a query sees only keys at or before its
    /// position.</summary>
    public int BlockColumns, HeadDim, Causal;

    /// <summary>scale * log2(e), and scale.</summary>
    public float ScaleLog2, Scale;
}

/// <summary>
/// <c>P = exp(scale S - LSE), dS = P (dP - delta) scale</c> with <c>S = Q K^T, dP = dO V^T</c>, then <c>dQ = dS K</c>,
/// or with transposed tiles <c>dK = dS^T Q, dV = P^T dO</c>. In terms of rows R and columns C: <c>S = R1 C1^T, dP = R2
/// C2^T, G1 += dS C1, G2 += P C2</c>. A group owns a row tile and 64 columns of the gradients (Grid.Y); a thread owns
/// 8x8 elements of each tile, and for P and dS one row.
/// </summary>
/// <remarks>Roofline: shared memory and fp32 units alike, as in <see cref="PortableForward"/>; the share was not
/// measured.</remarks>
internal static class PortableBackward
{
    /// <summary>The kernel, in single precision. Grid: row tiles, slices.</summary>
    public static void Kernel<TSide>(PortableBackwardArguments a)
        where TSide : struct, IBackwardSide =>
        ComputeTile<TSide, StoredSingle, StoredStatistics>(a, PortableBackwardMemory.Allocate(),
            a.Lists.Rows[Grid.IdxX]);

    /// <summary>Computes again the row tiles in which a tensor-core kernel found a gradient that is not finite: it
    /// multiplies all rows of a tile by all of its columns, and 0 * NaN is NaN. Here a row meets what it sees and
    /// nothing else. Grid: every 64th row tile, slices.</summary>
    public static void Repair<TSide, TElement>(PortableBackwardArguments a)
        where TSide : struct, IBackwardSide where TElement : struct, IStoredElement
    {
        var memory = PortableBackwardMemory.Allocate();
        var isWanted = SharedMemory.Allocate<int>(PortableTiles.Tile);
        PortableRepair.Find(isWanted, a.NonFinite, 1, a.Lists.Rows.IntLength, 0, TSide.RowsAreKeys != 0 ? 8 : 4,
            TSide.RowsAreKeys != 0 ? 1 : 2);
        Group.Barrier();
        for (int n = 0; n < PortableTiles.Tile; n++)
            if (isWanted[n] != 0)
            {
                ComputeTile<TSide, TElement, PackedStatistics>(a, memory,
                    a.Lists.Rows[Grid.IdxX * PortableTiles.Tile + n]);
                Group.Barrier();
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ComputeTile<TSide, TElement, TStatistics>(in PortableBackwardArguments a,
        in PortableBackwardMemory memory, in RowTile rows)
        where TSide : struct, IBackwardSide where TElement : struct, IStoredElement
        where TStatistics : struct, IQueryStatistics
    {
        ArrayView<float> chunks = memory.Chunks, weights = memory.Weights, lse = memory.LogSumExps,
            delta = memory.Deltas;
        ArrayView<long> rows1 = memory.Rows1, rows2 = memory.Rows2, columns1 = memory.Columns1,
            columns2 = memory.Columns2;
        int i = Group.IdxX, slice = Grid.IdxY;
        rows1[i] = PortableTiles.Start(rows, a.Rows1Rows, rows.FirstRow + i);
        rows2[i] = PortableTiles.Start(rows, a.Rows2Rows, rows.FirstRow + i);
        if (TSide.RowsAreKeys == 0)
            TStatistics.Load(a, rows, rows.FirstRow + i, i, i, lse, delta);
        var gradient1 = new Block8x8();
        var gradient2 = new Block8x8();

        for (int tile = rows.Start; tile < rows.End; tile++)
        {
            FindColumn<TSide, TStatistics>(a, rows, tile, i, columns1, columns2, lse, delta);
            Group.Barrier();
            var scores = new Block8x8(); // S = R1 C1^T
            for (int d = 0; d < a.HeadDim; d += PortableTiles.Chunk)
            {
                PortableTiles.LoadChunks<TElement, TElement>(chunks, a.Rows1, rows1, a.Columns1, columns1, d,
                    a.HeadDim);
                Group.Barrier();
                PortableTiles.Dot(ref scores, chunks, IntrinsicMath.Min(PortableTiles.Chunk, a.HeadDim - d));
                Group.Barrier();
            }
            scores.Store(weights, i % 8, i / 8, PortableTiles.TilePitch);
            if (TSide.RowsAreKeys != 0)
                PortableTiles.Load<TElement>(chunks, PortableTiles.Tile, PortableTiles.Tile, a.Columns2, columns2,
                    slice * PortableTiles.Tile, a.HeadDim);
            Group.Barrier();

            WeighRow<TSide>(a, rows, tile, i, weights, lse, columns1); // P
            Group.Barrier();
            if (TSide.RowsAreKeys != 0) // G2 += P C2
            {
                if (tile < rows.FullEnd)
                    PortableTiles.Multiply(ref gradient2, weights, chunks);
                else
                    PortableTiles.MultiplyVisible(ref gradient2, weights, chunks);
            }
            Group.Barrier();

            var products = new Block8x8(); // dP = R2 C2^T
            for (int d = 0; d < a.HeadDim; d += PortableTiles.Chunk)
            {
                PortableTiles.LoadChunks<TElement, TElement>(chunks, a.Rows2, rows2, a.Columns2, columns2, d,
                    a.HeadDim);
                Group.Barrier();
                PortableTiles.Dot(ref products, chunks, IntrinsicMath.Min(PortableTiles.Chunk, a.HeadDim - d));
                Group.Barrier();
            }
            if (TSide.RowsAreKeys != 0)
                products.SubtractColumns(Floats8.Load(delta, i % 8, 1));
            else
                products.SubtractRows(Floats8.Load(delta, i / 8, 1));
            products.MultiplyInto(weights, i % 8, i / 8, PortableTiles.TilePitch); // dS / scale = P (dP - delta)
            PortableTiles.Load<TElement>(chunks, PortableTiles.Tile, PortableTiles.Tile, a.Columns1, columns1,
                slice * PortableTiles.Tile, a.HeadDim);
            Group.Barrier();
            // G1 += dS C1; the next tile writes neither before its first barrier
            if (tile < rows.FullEnd)
                PortableTiles.Multiply(ref gradient1, weights, chunks);
            else
                PortableTiles.MultiplyVisible(ref gradient1, weights, chunks);
        }
        gradient1.Scale(a.Scale);
        PortableTiles.Store<TElement>(gradient1, a.Gradient1, rows, a.Gradient1Rows, slice, a.HeadDim);
        if (TSide.RowsAreKeys != 0)
            PortableTiles.Store<TElement>(gradient2, a.Gradient2, rows, a.Gradient2Rows, slice, a.HeadDim);
    }

    // Thread c finds column c of a tile and, where columns are queries, its log-sum-exp and delta.
    private static void FindColumn<TSide, TStatistics>(in PortableBackwardArguments a, in RowTile rows, int tile, int c,
        ArrayView<long> columns1, ArrayView<long> columns2, ArrayView<float> lse,
        ArrayView<float> delta)
        where TSide : struct, IBackwardSide where TStatistics : struct, IQueryStatistics
    {
        int block = PortableTiles.Block(a.Lists, a.BlockColumns, rows.ColumnBase, tile, c),
            perTile = PortableTiles.Tile / a.BlockColumns, packed = block / perTile;
        var columns = a.Columns[packed];
        int row = columns.FirstRow + (block - packed * perTile) * a.BlockColumns + c % a.BlockColumns;
        columns1[c] = PortableTiles.Start(columns, a.Columns1Rows, row);
        columns2[c] = PortableTiles.Start(columns, a.Columns2Rows, row);
        if (TSide.RowsAreKeys != 0)
            TStatistics.Load(a, columns, row, (block - packed * perTile) * a.BlockColumns + c % a.BlockColumns, c, lse,
                delta);
    }

    // Row i: P = exp2(S scale log2(e) - LSE log2(e)) in place of S, hidden where a query does not see a key or does not
    // exist.
    private static void WeighRow<TSide>(in PortableBackwardArguments a, in RowTile rows, int tile, int i,
        ArrayView<float> weights, ArrayView<float> lse, ArrayView<long> columns)
        where TSide : struct, IBackwardSide
    {
        uint mask = a.Lists.Masks[tile];
        int own = rows.FirstPosition + i;
        for (int c = 0; c < PortableTiles.Tile; c++)
        {
            int at = i * PortableTiles.TilePitch + c;
            float weight = XMath.Exp2(weights[at] * a.ScaleLog2 - lse[TSide.RowsAreKeys != 0 ? c : i]);
            if (tile >= rows.FullEnd)
            {
                int position = PortableTiles.Position(a.Lists, a.BlockColumns, tile, c);
                bool isOrdered = a.Causal == 0 || (TSide.RowsAreKeys != 0 ? position >= own : position <= own);
                if (!isOrdered || columns[c] == PortableTiles.None
                    || !PortableTiles.IsVisible(mask, i, c, position, rows.ColumnEnd, int.MaxValue))
                    weight = PortableTiles.Hidden;
            }
            weights[at] = weight;
        }
    }
}

/// <summary>The shared memory of <see cref="PortableBackward"/>.</summary>
internal struct PortableBackwardMemory
{
    /// <summary>A chunk of rows and one of columns, or a slice of columns; S, P or dS [64, 64]; LSE log2(e) and delta
    /// of the queries.</summary>
    public ArrayView<float> Chunks, Weights, LogSumExps, Deltas;

    /// <summary>Where each row of R1, R2, C1 and C2 begins.</summary>
    public ArrayView<long> Rows1, Rows2, Columns1, Columns2;

    /// <summary>Takes the memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PortableBackwardMemory Allocate() => new()
    {
        Chunks = SharedMemory.Allocate<float>(2 * PortableTiles.Tile * PortableTiles.ChunkPitch),
        Weights = SharedMemory.Allocate<float>(PortableTiles.Tile * PortableTiles.TilePitch),
        LogSumExps = SharedMemory.Allocate<float>(PortableTiles.Tile),
        Deltas = SharedMemory.Allocate<float>(PortableTiles.Tile),
        Rows1 = SharedMemory.Allocate<long>(PortableTiles.Tile),
        Rows2 = SharedMemory.Allocate<long>(PortableTiles.Tile),
        Columns1 = SharedMemory.Allocate<long>(PortableTiles.Tile),
        Columns2 = SharedMemory.Allocate<long>(PortableTiles.Tile),
    };
}

/// <summary>Where the log-sum-exp and delta of a query are. One that does not exist, or kept nothing, has a log-sum-exp
/// of +infinity: all its probabilities are 0.</summary>
internal interface IQueryStatistics
{
    /// <summary>Reads those of a row of a tile, row <paramref name="packedRow"/> of a packed tile, to place <paramref
    /// name="n"/>.</summary>
    static abstract void Load(in PortableBackwardArguments a, in RowTile tile, int row, int packedRow, int n,
        ArrayView<float> lse, ArrayView<float> delta);
}

/// <summary>In tensors [B, H, Nq].</summary>
internal readonly struct StoredStatistics : IQueryStatistics
{
    private const float Log2E = 1.4426950408889634f;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(in PortableBackwardArguments a, in RowTile tile, int row, int packedRow, int n,
        ArrayView<float> lse, ArrayView<float> delta)
    {
        long at = PortableTiles.Start(tile, a.LogSumExpRows, row);
        float value = float.NegativeInfinity, rowDelta = 0;
        if (at != PortableTiles.None)
        {
            value = a.LogSumExp[at];
            rowDelta = a.Delta[PortableTiles.Start(tile, a.DeltaRows, row)];
        }
        lse[n] = value == float.NegativeInfinity ? float.PositiveInfinity : value * Log2E;
        delta[n] = value == float.NegativeInfinity ? 0 : rowDelta;
    }
}

/// <summary>In the lines of packed queries that <see cref="TensorCore.Delta"/> writes.</summary>
internal readonly struct PackedStatistics : IQueryStatistics
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(in PortableBackwardArguments a, in RowTile tile, int row, int packedRow, int n,
        ArrayView<float> lse, ArrayView<float> delta)
    {
        long line = (long)tile.PackedTile * 128 + packedRow / 16 * 32 + packedRow % 16;
        float value = a.Lines[line];
        lse[n] = value;
        delta[n] = value == float.PositiveInfinity ? 0 : -a.Lines[line + 16];
    }
}

/// <summary>Arguments of <see cref="PortableDelta"/>: rows [B, Nq, H].</summary>
internal struct PortableDeltaArguments
{
    /// <summary>O and dO [B, Nq, H, D], dLSE [B, H, Nq] if there is one: read. Delta [B, H, Nq]: written.</summary>
    public ArrayView<float> Output, OutputGradient, LogSumExpGradient, Delta;

    /// <summary>Where each lies.</summary>
    public RowStrides OutputRows, OutputGradientRows, LogSumExpGradientRows, DeltaRows;

    /// <summary>Batch * Nq * H, Nq, H, D, and whether there is a gradient of the log-sum-exp.</summary>
    public int Rows, Tokens, Heads, HeadDim, HasLogSumExpGradient;
}

/// <summary><c>delta = rowsum(O dO) - dLSE</c>; a thread owns rows.</summary>
internal static class PortableDelta
{
    public static void Kernel(PortableDeltaArguments a)
    {
        for (int r = Grid.IdxX * Group.DimX + Group.IdxX; r < a.Rows; r += Grid.DimX * Group.DimX)
        {
            int token = r / a.Heads, head = r - token * a.Heads, batch = token / a.Tokens,
                row = token - batch * a.Tokens;
            long output = At(a.OutputRows, batch, row, head), gradient = At(a.OutputGradientRows, batch, row, head);
            float delta = a.HasLogSumExpGradient != 0
                ? -a.LogSumExpGradient[At(a.LogSumExpGradientRows, batch, row, head)] : 0;
            for (int d = 0; d < a.HeadDim; d++)
                delta += a.Output[output + d] * a.OutputGradient[gradient + d];
            a.Delta[At(a.DeltaRows, batch, row, head)] = delta;
        }
    }

    private static long At(in RowStrides rows, int batch, int row, int head) =>
        rows.Offset + batch * rows.Batch + row * rows.Row + head * rows.Head;
}

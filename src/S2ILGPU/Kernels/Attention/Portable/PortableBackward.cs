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

    /// <summary>LSE, natural logarithm, and delta of the queries, [B, H, Nq]. Read.</summary>
    public ArrayView<float> LogSumExp, Delta;

    /// <summary>Where they lie.</summary>
    public RowStrides LogSumExpRows, DeltaRows;

    /// <summary>dK, or dQ, [B, N, H, D]. Written.</summary>
    public ArrayView<float> Gradient1;

    /// <summary>dV, [B, Nk, Hkv, D]; not touched for dQ. Written.</summary>
    public ArrayView<float> Gradient2;

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
    private const float Log2E = 1.4426950408889634f;

    public static void Kernel<TSide>(PortableBackwardArguments a)
        where TSide : struct, IBackwardSide
    {
        var chunks = SharedMemory.Allocate<float>(2 * PortableTiles.Tile * PortableTiles.ChunkPitch);
        var weights = SharedMemory.Allocate<float>(PortableTiles.Tile * PortableTiles.TilePitch);
        var lse = SharedMemory.Allocate<float>(PortableTiles.Tile);     // of the queries, times log2(e)
        var delta = SharedMemory.Allocate<float>(PortableTiles.Tile);
        var rows1 = SharedMemory.Allocate<long>(PortableTiles.Tile);
        var rows2 = SharedMemory.Allocate<long>(PortableTiles.Tile);
        var columns1 = SharedMemory.Allocate<long>(PortableTiles.Tile);
        var columns2 = SharedMemory.Allocate<long>(PortableTiles.Tile);

        var rows = a.Lists.Rows[Grid.IdxX];
        int i = Group.IdxX, slice = Grid.IdxY;
        rows1[i] = PortableTiles.Start(rows, a.Rows1Rows, rows.FirstRow + i);
        rows2[i] = PortableTiles.Start(rows, a.Rows2Rows, rows.FirstRow + i);
        if (TSide.RowsAreKeys == 0)
            LoadStatistics(a, rows, rows.FirstRow + i, i, lse, delta);
        var gradient1 = new Block8x8();
        var gradient2 = new Block8x8();

        for (int tile = rows.Start; tile < rows.End; tile++)
        {
            FindColumn<TSide>(a, rows, tile, i, columns1, columns2, lse, delta);
            Group.Barrier();
            var scores = new Block8x8(); // S = R1 C1^T
            for (int d = 0; d < a.HeadDim; d += PortableTiles.Chunk)
            {
                PortableTiles.LoadChunks<StoredSingle>(chunks, a.Rows1, rows1, a.Columns1, columns1, d, a.HeadDim);
                Group.Barrier();
                PortableTiles.Dot(ref scores, chunks, IntrinsicMath.Min(PortableTiles.Chunk, a.HeadDim - d));
                Group.Barrier();
            }
            scores.Store(weights, i % 8, i / 8, PortableTiles.TilePitch);
            if (TSide.RowsAreKeys != 0)
                PortableTiles.Load<StoredSingle>(chunks, PortableTiles.Tile, PortableTiles.Tile, a.Columns2, columns2,
                    slice * PortableTiles.Tile, a.HeadDim);
            Group.Barrier();

            WeighRow<TSide>(a, rows, tile, i, weights, lse); // P
            Group.Barrier();
            if (TSide.RowsAreKeys != 0)
                PortableTiles.Multiply(ref gradient2, weights, chunks); // G2 += P C2
            Group.Barrier();

            var products = new Block8x8(); // dP = R2 C2^T
            for (int d = 0; d < a.HeadDim; d += PortableTiles.Chunk)
            {
                PortableTiles.LoadChunks<StoredSingle>(chunks, a.Rows2, rows2, a.Columns2, columns2, d, a.HeadDim);
                Group.Barrier();
                PortableTiles.Dot(ref products, chunks, IntrinsicMath.Min(PortableTiles.Chunk, a.HeadDim - d));
                Group.Barrier();
            }
            if (TSide.RowsAreKeys != 0)
                products.SubtractColumns(Floats8.Load(delta, i % 8, 1));
            else
                products.SubtractRows(Floats8.Load(delta, i / 8, 1));
            products.MultiplyInto(weights, i % 8, i / 8, PortableTiles.TilePitch); // dS / scale = P (dP - delta)
            PortableTiles.Load<StoredSingle>(chunks, PortableTiles.Tile, PortableTiles.Tile, a.Columns1, columns1,
                slice * PortableTiles.Tile, a.HeadDim);
            Group.Barrier();
            // G1 += dS C1; the next tile writes neither before its first barrier
            PortableTiles.Multiply(ref gradient1, weights, chunks);
        }
        gradient1.Scale(a.Scale);
        PortableTiles.Store(gradient1, a.Gradient1, rows, a.Gradient1Rows, slice, a.HeadDim);
        if (TSide.RowsAreKeys != 0)
            PortableTiles.Store(gradient2, a.Gradient2, rows, a.Gradient2Rows, slice, a.HeadDim);
    }

    // Thread c finds column c of a tile and, where columns are queries, its log-sum-exp and delta.
    private static void FindColumn<TSide>(in PortableBackwardArguments a, in RowTile rows, int tile, int c,
        ArrayView<long> columns1, ArrayView<long> columns2, ArrayView<float> lse,
        ArrayView<float> delta)
        where TSide : struct, IBackwardSide
    {
        int block = PortableTiles.Block(a.Lists, a.BlockColumns, rows.ColumnBase, tile, c),
            perTile = PortableTiles.Tile / a.BlockColumns, packed = block / perTile;
        var columns = a.Columns[packed];
        int row = columns.FirstRow + (block - packed * perTile) * a.BlockColumns + c % a.BlockColumns;
        columns1[c] = PortableTiles.Start(columns, a.Columns1Rows, row);
        columns2[c] = PortableTiles.Start(columns, a.Columns2Rows, row);
        if (TSide.RowsAreKeys != 0)
            LoadStatistics(a, columns, row, c, lse, delta);
    }

    // A query that does not exist, or kept nothing, has a log-sum-exp of +infinity here: all its probabilities are 0.
    private static void LoadStatistics(in PortableBackwardArguments a, in RowTile tile, int row, int n,
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

    // Row i: P = exp2(S scale log2(e) - LSE log2(e)) in place of S, 0 where a query does not see a key.
    private static void WeighRow<TSide>(in PortableBackwardArguments a, in RowTile rows, int tile, int i,
        ArrayView<float> weights, ArrayView<float> lse)
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
                if (!isOrdered || !PortableTiles.IsVisible(mask, i, c, position, rows.ColumnEnd, int.MaxValue))
                    weight = 0;
            }
            weights[at] = weight;
        }
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

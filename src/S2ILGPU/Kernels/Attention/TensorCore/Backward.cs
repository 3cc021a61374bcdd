using System.Runtime.CompilerServices;
using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>
/// Block-sparse attention, backward: dK, dV and dQ from one source. With rows R1, R2 and columns C1, C2:
/// <c>S = R1 C1^T, P = 2^(S c - lse), dR2 = P C2, dP = R2 C2^T, dS = P (dP - delta), dR1 = scale dS C1</c>.
/// </summary>
/// <remarks>
/// <para>Rows = keys (R = K, V; C = Q, dO): dR1 = dK, dR2 = dV, over the queries that keep the keys, those of all heads
/// of the group. Rows = queries (R = Q, dO; C = K, V): dR1 = dQ, over the keys that the queries keep. Every row has one
/// owner, so there are no atomics and the result is deterministic; the price is that S and dP are computed
/// twice.</para>
/// <para>A group of 4 warps owns a row tile of 64 rows, a warp 16 of them, a lane rows g and g + 8 with columns 2t, 2t
/// + 1 of every 8 (lane 4g + t). P and dS never leave registers: the accumulators of S are the A operand of the product
/// with C (ldmatrix, mma). <see cref="BackwardPipeline{TShape}"/> brings rows and columns (cp.async).</para>
/// <para>Roofline: shared memory bounds it, at 275 TFLOP/s for D = 64 and 263 for D = 128 on an H100 (counted from
/// SASS, 10 FLOPs per score and column); 60 to 75 % of that are expected, no device has measured it.</para>
/// <para>Dao, FlashAttention-2, arXiv 2307.08691, algorithm 2, split by owner.</para>
/// </remarks>
internal static class Backward
{
    /// <summary>Threads of a group.</summary>
    public const int Threads = 128;

    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>Registers and addresses of one thread.</summary>
    private struct State<TShape> where TShape : struct, IBackwardShape
    {
        public BackwardPipeline<TShape> Columns;
        public RowFragment<TShape, Width<TShape>> Rows1, Rows2;
        public AccumulatorFragment<TShape, Step<TShape>> Scores, ScoreGradients;
        public AccumulatorFragment<TShape, Width<TShape>> Gradient1, Gradient2;
        public RowFragment<TShape, N16> Scratch;
        public ArrayView<int> Excess;
    }

    /// <summary>The kernel. Grid: one group of <see cref="Threads"/> threads per row tile.</summary>
    public static void Kernel<TElement, TShape>(BackwardArguments a) where TElement : struct, IElement
        where TShape : struct, IBackwardShape
    {
        var tile = a.Lists.Rows[Grid.IdxX];
        var s = Begin<TShape>(a, tile);
        int it = tile.Start * Parts<TShape>(), end = tile.End * Parts<TShape>(), full = tile.FullEnd * Parts<TShape>();
        s.Columns.Start(a, tile, it, end);
        if (TShape.RowsInRegisters)
        {
            var rows = s.Columns.WaitForRows(it);
            s.Rows1.Load(rows.Behind(BackwardMemory<TShape>.Rows1));
            if (TShape.First)
                s.Rows2.Load(rows.Behind(BackwardMemory<TShape>.Rows2));
        }

        while (it < full)
        {
            Tile<TElement, TShape>(a, s, it, end, masked: false);
            it++;
        }
        while (it < end)
        {
            Tile<TElement, TShape>(a, s, it, end, masked: true);
            it++;
        }
        Intrinsics.CopyWait0();
        if (TShape.First)
            Store<TElement, TShape>(a, s.Gradient1, a.Scale, a.Gradient1, a.Gradient1Rows, 0, it - end);
        if (TShape.Second)
            Store<TElement, TShape>(a, s.Gradient2, 1f, a.Gradient2, a.Gradient2Rows, 1, it - end);
    }

    /// <summary>Buffers that a column tile fills one after the other.</summary>
    [MethodImpl(Inline)]
    private static int Parts<TShape>() where TShape : struct, IBackwardShape => 64 / TShape.StageColumns;

    [MethodImpl(Inline)]
    private static State<TShape> Begin<TShape>(in BackwardArguments a, in RowTile tile)
        where TShape : struct, IBackwardShape
    {
        State<TShape> s = default;
        s.Columns = BackwardPipeline<TShape>.At(a, tile);
        s.Rows1 = RowFragment<TShape, Width<TShape>>.Allocate();
        s.Rows2 = RowFragment<TShape, Width<TShape>>.Allocate();
        s.Scratch = RowFragment<TShape, N16>.Allocate();
        s.Scores = AccumulatorFragment<TShape, Step<TShape>>.Allocate();
        s.ScoreGradients = AccumulatorFragment<TShape, Step<TShape>>.Allocate();
        s.Gradient1 = AccumulatorFragment<TShape, Width<TShape>>.Allocate();
        s.Gradient2 = AccumulatorFragment<TShape, Width<TShape>>.Allocate();
        if (TShape.First)
            s.Gradient1.Zero();
        if (TShape.Second)
            s.Gradient2.Zero();
        s.Excess = LocalMemory.Allocate<int>(TShape.StepColumns / 8);
        if (!TShape.RowsAreKeys)
            s.Columns.Lines.LoadRows(a.Lines, tile.PackedTile);
        return s;
    }

    /// <summary>The columns of one buffer: a column tile, or part <paramref name="it"/> % Parts of tile it /
    /// Parts.</summary>
    [MethodImpl(Inline)]
    private static void Tile<TElement, TShape>(in BackwardArguments a, in State<TShape> s, int it, int end, bool masked)
        where TElement : struct, IElement where TShape : struct, IBackwardShape
    {
        s.Columns.WaitForFirst();
        Group.Barrier();                                // the tile is ready; all warps have read the other stage
        s.Columns.LoadBehind(a, it, end);
        SharedTile<TShape> columns1 = s.Columns.First(it), columns2 = s.Columns.Second(it);
        uint line = s.Columns.Line(it);
        for (int c = 0; c < TShape.StageColumns / TShape.StepColumns; c++)
        {
            int firstColumn = c * TShape.StepColumns, distance = firstColumn * TileLayout<TShape>.RowBytes;
            if (masked)
                BackwardMask<TShape>.Load(s.Excess, a.Lists, BackwardPipeline<TShape>.ColumnTile(it),
                    BackwardPipeline<TShape>.FirstColumn(it) + firstColumn, a.Causal);
            s.Scores.Zero();
            // S = R1 C1^T
            Dot<TElement, TShape>(s.Scores, s, s.Rows1, BackwardMemory<TShape>.Rows1, columns1.Behind(distance));
            if (masked)
                BackwardMask<TShape>.Hide(s.Scores, s.Excess);
            // P = 2^(S c - lse)
            s.Columns.Lines.Weigh(s.Scores, a.ScaleLog2, line, firstColumn);
            s.Columns.WaitForSecond();
            if (TShape.Second)
                // dR2 += P C2
                s.Gradient2.Multiply<TElement, Step<TShape>>(s.Scores, columns2.Behind(distance), s.Scratch);
            if (TShape.First)
            {
                // dP - delta = R2 C2^T - delta
                s.Columns.Lines.Start(s.ScoreGradients, line, firstColumn);
                Dot<TElement, TShape>(s.ScoreGradients, s, s.Rows2, BackwardMemory<TShape>.Rows2,
                    columns2.Behind(distance));
                // dS = P (dP - delta)
                Multiply(s.ScoreGradients, s.Scores);
            }
            s.Columns.SecondIsRead(a, it, end);
            if (TShape.First)
                // dR1 += dS C1
                s.Gradient1.Multiply<TElement, Step<TShape>>(s.ScoreGradients, columns1.Behind(distance), s.Scratch);
        }
    }

    /// <summary>Adds <c>R C^T</c>, R from registers or from shared memory.</summary>
    [MethodImpl(Inline)]
    private static void Dot<TElement, TShape>(
        in AccumulatorFragment<TShape, Step<TShape>> scores, in State<TShape> s, in RowFragment<TShape,
        Width<TShape>> rows, int offset, in SharedTile<TShape> columns)
        where TElement : struct, IElement where TShape : struct, IBackwardShape
    {
        if (TShape.RowsInRegisters)
            scores.Dot<TElement>(rows, columns);
        else
            scores.Dot<TElement>(s.Columns.Rows.Behind(offset), columns, s.Scratch);
    }

    [MethodImpl(Inline)]
    private static void Multiply<TShape>(in AccumulatorFragment<TShape, Step<TShape>> gradients,
        in AccumulatorFragment<TShape, Step<TShape>> weights) where TShape : struct, IBackwardShape
    {
        for (int i = 0; i < TShape.StepColumns / 2; i++)
            gradients.Values[i] *= weights.Values[i];
    }

    /// <summary>
    /// Stores the rows of a gradient that belong to the sequence. <paramref name="tie"/> is 0, but known only behind
    /// the loop: lane geometry is computed here instead of living through the loop. Rows that are not finite are
    /// marked: a NaN may come from a column that another row of the tile sees, and is not worth a test in the loops.
    /// </summary>
    [MethodImpl(Inline)]
    private static void Store<TElement, TShape>(
        in BackwardArguments a, in AccumulatorFragment<TShape, Width<TShape>> gradient, float factor,
        ArrayView<uint> target, in RowStrides strides, int number, int tie)
        where TElement : struct, IElement where TShape : struct, IBackwardShape
    {
        var tile = a.Lists.Rows[Grid.IdxX + tie];
        int thread = Group.IdxX + tie, lane = thread & 31, first = tile.FirstRow + (thread >> 5) * 16 + (lane >> 2);
        long head = strides.Offset + tile.Batch * strides.Batch + tile.Head * strides.Head;
        int isNonFinite = 0;
        for (int half = 0; half < 2; half++)
        {
            int row = first + half * 8;
            long pair = (head + row * strides.Row) / 2 + (lane & 3);
            if (row >= tile.BeginRow && row < tile.EndRow)
            {
                gradient.Store<TElement>(0, half, factor, target, pair);
                isNonFinite |= gradient.ZeroIfFinite(0, half) == 0f ? 0 : 1;
            }
        }
        isNonFinite = WarpVote.Any(isNonFinite);
        if (lane == 0)
            a.NonFinite[(Grid.IdxX + tie) * 8 + (thread >> 5) * 2 + number] = isNonFinite;
    }
}

using System.Runtime.CompilerServices;
using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>
/// Block-sparse attention, forward: <c>S = Q K^T, P = 2^(S c - m), O = P V / sum P, LSE = ln sum 2^(S c)</c> over the
/// column tiles of a list, or of one of several parts of it, which <see cref="Merge"/> joins.
/// </summary>
/// <remarks>
/// <para>A group owns a row tile of 16 RowTiles Warps queries of one head, a warp 16 RowTiles of them, a lane rows g
/// and g + 8 of every 16 with columns 2t, 2t + 1 of every 8 (lane 4g + t). S and O stay in registers; the accumulators
/// of S are the A operand of P V (ldmatrix, mma). Q lies in shared memory; <see cref="KeyValuePipeline{TShape}"/>
/// brings K and V (cp.async).</para>
/// <para>Roofline: shared memory bounds it, at 525 TFLOP/s for D = 64 and 334 to 368 for D = 128 on an H100 (counted
/// from SASS); 53 to 75 % of that are expected, no device has measured it.</para>
/// <para>Dao, FlashAttention-2, arXiv 2307.08691, algorithm 1, with lists of tiles in place of all keys.</para>
/// </remarks>
internal static class Forward
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>Registers and addresses of one thread.</summary>
    private struct State<TShape> where TShape : struct, IForwardShape
    {
        public SharedTile<TShape> Query;
        public KeyValuePipeline<TShape> Columns;
        public AccumulatorFragment<TShape, Step<TShape>> Scores;
        public AccumulatorFragment<TShape, Width<TShape>> Output;
        public RowFragment<TShape, N16> Scratch;
        public OnlineSoftmax<TShape> Softmax;
    }

    /// <summary>Rows of a group.</summary>
    [MethodImpl(Inline)]
    public static int Rows<TShape>() where TShape : struct, IForwardShape => 16 * TShape.RowTiles * TShape.Warps;

    /// <summary>Dynamic shared memory in bytes: Q, then K and V once or twice.</summary>
    [MethodImpl(Inline)]
    public static int SharedBytes<TShape>() where TShape : struct, IForwardShape =>
        Rows<TShape>() * TileLayout<TShape>.RowBytes + KeyValuePipeline<TShape>.SharedBytes;

    /// <summary>The kernel. Grid: row tiles along x, parts of their lists along y, groups of 32 Warps
    /// threads.</summary>
    public static void Kernel<TElement, TShape>(ForwardArguments a) where TElement : struct, IElement
        where TShape : struct, IForwardShape
    {
        var tile = a.Lists.Rows[Grid.IdxX];
        var memory = SharedMemory.GetDynamic<U4>();
        uint shared = Intrinsics.SharedAddress(ref memory[0]),
            columns = shared + (uint)(Rows<TShape>() * TileLayout<TShape>.RowBytes);
        TileCopy<TShape>.LoadStrided(memory, shared, a.Query, a.QueryRows, tile, Rows<TShape>());

        State<TShape> s = default;
        s.Query = SharedTile<TShape>
            .At(memory, shared + (uint)((Group.IdxX >> 5) * 16 * TShape.RowTiles * TileLayout<TShape>.RowBytes));
        s.Columns = KeyValuePipeline<TShape>.At(a, tile, memory, columns);
        s.Scores = AccumulatorFragment<TShape, Step<TShape>>.Allocate();
        s.Output = AccumulatorFragment<TShape, Width<TShape>>.Allocate();
        s.Scratch = RowFragment<TShape, N16>.Allocate();
        s.Softmax = OnlineSoftmax<TShape>.Empty();
        s.Output.Zero();

        int part = (tile.End - tile.Start + a.Splits - 1) / a.Splits,
            it = IntrinsicMath.Min(tile.Start + Grid.IdxY * part, tile.End),
            end = IntrinsicMath.Min(it + part, tile.End), full = IntrinsicMath.Min(tile.FullEnd, end);
        s.Columns.Start(it, end);
        uint stage = 0;
        while (it < full)
        {
            Tile<TElement, TShape>(a, s, it, end, stage, masked: false);
            it++;
            stage ^= KeyValuePipeline<TShape>.StageFlip;
        }
        while (it < end)
        {
            Tile<TElement, TShape>(a, s, it, end, stage, masked: true);
            it++;
            stage ^= KeyValuePipeline<TShape>.StageFlip;
        }
        Intrinsics.CopyWait0();
        Store<TElement, TShape>(a, s, it - end);
    }

    /// <summary>One column tile.</summary>
    [MethodImpl(Inline)]
    private static void Tile<TElement, TShape>(in ForwardArguments a, in State<TShape> s, int it, int end, uint stage,
        bool masked) where TElement : struct, IElement where TShape : struct, IForwardShape
    {
        s.Columns.WaitForKeys(it, stage, masked);
        Group.Barrier();                                // the tile is ready; all warps have read the one before
        s.Columns.LoadBehind(it, end, stage);
        SharedTile<TShape> queries = s.Columns.QueryTile(s.Query), keys = s.Columns.KeyTile(stage),
            values = keys.Behind(TileLayout<TShape>.TileBytes);
        for (int c = 0; c < 64 / TShape.StepColumns; c++)
        {
            int firstColumn = c * TShape.StepColumns, distance = firstColumn * TileLayout<TShape>.RowBytes;
            s.Scores.Zero();
            // S = Q K^T
            s.Scores.Dot<TElement>(queries, keys.Behind(distance), s.Scratch);
            s.Columns.WaitForValues(it, end, stage, masked);
            if (masked)
                ColumnMask<TShape>.HideFromQueries(s.Scores, a.Lists, it, firstColumn, a.Causal);
            // m' = max(m, S c), O *= 2^(m - m')
            s.Softmax.Raise(s.Scores, s.Output, a.ScaleLog2);
            // P = 2^(S c - m'), l += P
            s.Softmax.Weigh(s.Scores, a.ScaleLog2);
            // O += P V
            s.Output.Multiply<TElement, Step<TShape>>(s.Scores, values.Behind(distance), s.Scratch);
        }
    }

    /// <summary>O = O / l and LSE. <paramref name="tie"/> is 0, but known only after the loop: lane geometry is
    /// computed here instead of living through the loop. Rows whose log-sum-exp is finite and whose output is not are
    /// marked: a NaN may come from a value that another row of the tile sees, and is not worth a test in the
    /// loops.</summary>
    [MethodImpl(Inline)]
    private static void Store<TElement, TShape>(in ForwardArguments a, in State<TShape> s, int tie)
        where TElement : struct, IElement where TShape : struct, IForwardShape
    {
        var tile = a.Lists.Rows[Grid.IdxX + tie];
        int thread = Group.IdxX + tie, lane = thread & 31, t = lane & 3,
            first = (thread >> 5) * 16 * TShape.RowTiles + (lane >> 2);
        long output = a.OutputRows.Offset + tile.Batch * a.OutputRows.Batch + tile.Head * a.OutputRows.Head,
            sums = ((long)tile.Batch * a.Heads + tile.Head) * a.LogSumExpRows;
        int firstGroup = (thread >> 5) * TShape.RowTiles;
        for (int m = 0; m < TShape.RowTiles; m++)
        {
            bool isSeen = (tile.SeenRows >> (firstGroup + m) & 1u) != 0;
            int isNonFinite = 0;
            for (int half = 0; half < 2; half++)
            {
                int y = m * 2 + half, r = first + m * 16 + half * 8, row = tile.FirstRow + r;
                float total = s.Softmax.Total(y);
                if (row >= tile.BeginRow && row < tile.EndRow)
                {
                    if (a.Splits > 1)
                        StorePart(a, s, m, half, (((long)Grid.IdxX + tie) * Rows<TShape>() + r) * a.Splits + Grid.IdxY,
                            total, t);
                    else
                    {
                        if (t == 0)
                            a.LogSumExp[sums + row] = s.Softmax.LogSumExp(y, total, isSeen);
                        s.Output.Store<TElement>(m, half, isSeen ? Intrinsics.Reciprocal(total) : 0f, a.Output,
                            (output + row * a.OutputRows.Row) / 2 + t);
                    }
                    if (total >= 0f)
                        isNonFinite |= s.Output.ZeroIfFinite(m, half) == 0f ? 0 : 1;
                }
            }
            isNonFinite = WarpVote.Any(isNonFinite);
            if (lane == 0)
                a.NonFinite[((long)Grid.IdxY * Grid.DimX + Grid.IdxX + tie) * 8 + firstGroup + m] = isNonFinite;
        }
    }

    /// <summary>O and LSE of a part of a row: 0 and -inf where the row sees nothing of it, or only scores of
    /// -inf.</summary>
    [MethodImpl(Inline)]
    private static void StorePart<TShape>(in ForwardArguments a, in State<TShape> s, int m, int half, long line,
        float total, int t) where TShape : struct, IForwardShape
    {
        if (t == 0)
            a.PartialLogSumExp[line] = s.Softmax.LogSumExp(m * 2 + half, total, total != 0f);
        s.Output.StoreFloats(m, half, total == 0f ? 0f : Intrinsics.Reciprocal(total), a.PartialOutput,
            line * (TShape.HeadDim / 2) + t);
    }
}

using System.Runtime.CompilerServices;
using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>
/// <c>S = Q K^T scale</c> of sampled rows against all keys, reduced at once to a log-sum-exp for each row and piece; a
/// piece is an entry of at most 64 keys of one block.
/// </summary>
/// <remarks>
/// <para>A group owns 128 of the rows of one query head and several neighbouring tiles of 64 keys, a warp 32 rows, a
/// lane rows g and g + 8 of every 16 with columns 2t, 2t + 1 of every 8 (lane 4g + t). Q lies in shared memory, S stays
/// in registers (ldmatrix, mma); <see cref="SampleKeys{TShape}"/> brings K (cp.async). Warps whose rows see nothing of
/// a tile, or that have no rows, only copy.</para>
/// <para>Roofline: with D = 128 tensor cores and exponentials (ex2) alike, 512 cycles of each for a tile on an H100; no
/// device has measured it.</para>
/// </remarks>
internal static class SampleTiles
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
    private const int Warps = 4, WarpRows = 32, LaneRows = 4;
    private const float Log2E = 1.4426950408889634f, Ln2 = 0.6931471805599453f;

    /// <summary>Registers and addresses of one thread.</summary>
    private struct State<TShape> where TShape : struct, ISampleShape
    {
        public SharedTile<TShape> Query;
        public SampleKeys<TShape> Keys;
        public AccumulatorFragment<TShape, Step<TShape>> Scores;
        public RowFragment<TShape, N16> Scratch;
        public int FullEnd, End;                        // of the tiles that all, or some of the warp's rows see
    }

    /// <summary>Threads of a group.</summary>
    public const int Threads = Warps * 32;

    /// <summary>Rows of a group.</summary>
    public const int Rows = Warps * WarpRows;

    /// <summary>Dynamic shared memory in bytes: Q, then K once or twice.</summary>
    public static int SharedBytes<TShape>() where TShape : struct, ISampleShape =>
        Rows * TileLayout<TShape>.RowBytes + SampleKeys<TShape>.SharedBytes;

    /// <summary>The kernel. Grid: runs of key tiles, tiles of rows, heads; groups of 128 threads.</summary>
    public static void Kernel<TElement, TShape>(SampleScoreArguments a) where TElement : struct, IElement
        where TShape : struct, ISampleShape
    {
        int first = Grid.IdxY * Rows, last = IntrinsicMath.Min(a.Rows.IntLength, first + Rows) - 1,
            tile = Grid.IdxX * a.GroupTiles,
            end = IntrinsicMath.Min(tile + a.GroupTiles, a.Rows[last] / TShape.TileRows + 1);
        if (tile >= end) // no row sees a key of the run
            return;
        int head = a.FirstHead + Grid.IdxZ;
        var memory = SharedMemory.GetDynamic<U4>();
        uint shared = Intrinsics.SharedAddress(ref memory[0]);
        TileCopy<TShape>.LoadChosen(memory, shared, a.Query.Cast<U4>(), a.QueryRows.Offset
            + a.Batch * a.QueryRows.Batch + head * a.QueryRows.Head + (a.QueryStart - a.FirstPosition)
            * a.QueryRows.Row, a.QueryRows.Row, a.Rows, first, Rows);
        var s = At<TShape>(a, memory, shared, first, head);
        s.Keys.Start(tile, end);
        uint stage = 0;
        while (tile < end)
        {
            Intrinsics.CopyWait0();
            Group.Barrier();                            // the tile is ready; all warps have read the one before
            if (TShape.Stages == 2)
                s.Keys.Load(tile + 1, end, stage ^ SampleKeys<TShape>.StageFlip);
            s.Scores.Zero();
            // S = Q K^T
            if (tile < s.End)
                s.Scores.Dot<TElement>(s.Query, s.Keys.Tile(stage), s.Scratch);
            if (TShape.Stages == 1)
            {
                Group.Barrier();                        // all warps have read the tile
                s.Keys.Load(tile + 1, end, 0);
            }
            if (tile < s.FullEnd)
                Store<TShape>(a, s, tile, masked: false);
            else if (tile < s.End)
                Store<TShape>(a, s, tile, masked: true);
            tile++;
            stage ^= SampleKeys<TShape>.StageFlip;
        }
        Intrinsics.CopyWait0();
    }

    [MethodImpl(Inline)]
    private static State<TShape> At<TShape>(in SampleScoreArguments a, ArrayView<U4> memory, uint shared, int first,
        int head) where TShape : struct, ISampleShape
    {
        int warpRow = (Group.IdxX >> 5) * WarpRows, begin = first + warpRow;
        State<TShape> s = default;
        s.Query = SharedTile<TShape>.At(memory, shared + (uint)(warpRow * TileLayout<TShape>.RowBytes));
        s.Keys = SampleKeys<TShape>.At(a, head / a.GroupHeads, memory,
            shared + (uint)(Rows * TileLayout<TShape>.RowBytes));
        s.Scores = AccumulatorFragment<TShape, Step<TShape>>.Allocate();
        s.Scratch = RowFragment<TShape, N16>.Allocate();
        s.FullEnd = (PositionOf(a, begin) + 1) / TShape.TileRows;
        s.End = begin < a.Rows.IntLength
            ? a.Rows[IntrinsicMath.Min(a.Rows.IntLength, begin + WarpRows) - 1] / TShape.TileRows + 1 : 0;
        return s;
    }

    /// <summary>The position of a row; -1 past the end of the list.</summary>
    [MethodImpl(Inline)]
    private static int PositionOf(in SampleScoreArguments a, int row) =>
        row < a.Rows.IntLength ? a.Rows[IntrinsicMath.Min(row, a.Rows.IntLength - 1)] : -1;

    /// <summary>The log-sum-exps of the pieces of a tile; NaN where a score is NaN or +inf. Exponents are relative to
    /// the row's maximum in the tile: a piece whose sum is too small beside it, and of no weight in the row, is
    /// -inf.</summary>
    /// <param name="a">The kernel's argument.</param>
    /// <param name="s">S of the tile.</param>
    /// <param name="tile">The tile.</param>
    /// <param name="masked">Whether a row may not see all of it; a constant.</param>
    [MethodImpl(Inline)]
    private static void Store<TShape>(in SampleScoreArguments a, in State<TShape> s, int tile, bool masked)
        where TShape : struct, ISampleShape
    {
        int t = Group.IdxX & 3, firstKey = tile * TShape.TileRows,
            row = Grid.IdxY * Rows + (Group.IdxX >> 5) * WarpRows + ((Group.IdxX & 31) >> 2);
        if (masked)
            Hide<TShape>(a, s, row, firstKey + t * 2);
        var sums = LocalMemory.Allocate<float>(4);      // of the pieces, in row g + 8t
        float shift = 0f, c = a.Scale * Log2E;
        for (int y = 0; y < LaneRows; y++)
        {
            float ofRow = Shift<TShape>(s.Scores, y, c);
            shift = t == y ? ofRow : shift;
            for (int piece = 0; piece < TileLayout<TShape>.Entries; piece++)
            {
                float sum = Sum<TShape>(s.Scores, y, piece, c, ofRow);
                sums[piece] = t == y ? sum : sums[piece];
            }
        }
        row += t * 8;
        long line = ((long)Grid.IdxZ * a.Rows.IntLength + row) * a.Pieces + tile * TileLayout<TShape>.Entries;
        int position = masked ? PositionOf(a, row) : row < a.Rows.IntLength ? int.MaxValue : -1;
        for (int piece = 0; piece < TileLayout<TShape>.Entries; piece++)
            if (firstKey + piece * TShape.BlockColumns <= position)
                a.Scores[line + piece] = (shift + Intrinsics.Log2(sums[piece])) * Ln2;
    }

    /// <summary>Sets the scores of keys past the position of their row to -inf.</summary>
    [MethodImpl(Inline)]
    private static void Hide<TShape>(in SampleScoreArguments a, in State<TShape> s, int row, int firstKey)
        where TShape : struct, ISampleShape
    {
        for (int m = 0; m < TShape.RowTiles; m++)
        {
            int above = PositionOf(a, row + m * 16) - firstKey, below = PositionOf(a, row + m * 16 + 8) - firstKey;
            for (int k = 0; k < TShape.StepColumns / 16; k++)
                ColumnMask<TShape>.Hide(s.Scores, m, k, above - k * 16, below - k * 16);
        }
    }

    /// <summary>The maximum of S c in row y, by the four lanes that hold it; 0 where all scores are -inf.</summary>
    [MethodImpl(Inline)]
    private static float Shift<TShape>(in AccumulatorFragment<TShape, Step<TShape>> scores, int y, float c)
        where TShape : struct, ISampleShape
    {
        int first = AccumulatorFragment<TShape, Step<TShape>>.At(y / 2, 0) + y % 2 * 2;
        float maximum = IntrinsicMath.Max(scores.Values[first], scores.Values[first + 1]);
        for (int n = 1; n < TShape.StepColumns / 8; n++)
            maximum = IntrinsicMath.Max(maximum,
                IntrinsicMath.Max(scores.Values[first + n * 4], scores.Values[first + n * 4 + 1]));
        maximum = IntrinsicMath.Max(maximum, Warp.ShuffleXor(maximum, 1));
        maximum = IntrinsicMath.Max(maximum, Warp.ShuffleXor(maximum, 2)) * c;
        return maximum == float.NegativeInfinity ? 0f : maximum;
    }

    /// <summary><c>sum 2^(S c - m)</c> of a piece of row y, by the four lanes that hold it.</summary>
    [MethodImpl(Inline)]
    private static float Sum<TShape>(in AccumulatorFragment<TShape, Step<TShape>> scores, int y, int piece, float c,
        float shift) where TShape : struct, ISampleShape
    {
        int first = AccumulatorFragment<TShape, Step<TShape>>.At(y / 2, piece * (TShape.BlockColumns / 8)) + y % 2 * 2;
        float sum = 0f;
        for (int n = 0; n < TShape.BlockColumns / 8; n++)
            sum += Intrinsics.Exp2(scores.Values[first + n * 4] * c - shift)
                + Intrinsics.Exp2(scores.Values[first + n * 4 + 1] * c - shift);
        sum += Warp.ShuffleXor(sum, 1);
        return sum + Warp.ShuffleXor(sum, 2);
    }
}

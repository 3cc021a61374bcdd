using System.Runtime.CompilerServices;
using ILGPU;
using S2ILGPU.Kernels.Attention.Portable;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>
/// Block-sparse attention, forward: <c>S = Q K^T, P = 2^(S c - m), O = P V / sum P, LSE = ln sum 2^(S c)</c> over the
/// column tiles of a list.
/// </summary>
/// <remarks>
/// <para>A group owns a row tile of 16 RowTiles Warps queries of one head, a warp 16 RowTiles of them, a lane rows g
/// and g + 8 of every 16 with columns 2t, 2t + 1 of every 8 (lane 4g + t). S and O stay in registers; the accumulators
/// of S are the A operand of P V. Q lies in shared memory, K and V in two buffers that asynchronous copies fill one
/// tile ahead, or in one buffer each, filled again as soon as everybody is done with it.</para>
/// <para>Dao, FlashAttention-2, arXiv 2307.08691, algorithm 1, with lists of tiles in place of all keys.</para>
/// </remarks>
internal static class Forward
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    /// <summary>Registers and addresses of one thread.</summary>
    private struct State<TShape> where TShape : struct, IForwardShape
    {
        public SharedTile<TShape> Query, Columns;
        public TileCopy<TShape> Copy;
        public AccumulatorFragment<TShape, Step<TShape>> Scores;
        public AccumulatorFragment<TShape, Width<TShape>> Output;
        public RowFragment<TShape, N16> Scratch;
        public OnlineSoftmax<TShape> Softmax;
        public ColumnLists List;
        public ArrayView<int> Current, Next;
        public int ColumnBase, FirstEntry;

        /// <summary>Reads the blocks of a column tile.</summary>
        [MethodImpl(Inline)]
        public readonly void Read(int columnTile) =>
            TileEntries<TShape>.Load(Next, List, ColumnBase, columnTile, FirstEntry);

        /// <summary>The next tile becomes the current one. Pinned, since ILGPU assigns loop variables one after the
        /// other and a plain copy of one to another would get the value of the next turn.</summary>
        [MethodImpl(Inline)]
        public readonly void Advance()
        {
            for (int j = 0; j < TileLayout<TShape>.ThreadBlocks; j++)
                Current[j] = (int)Intrinsics.Pin((uint)Next[j]);
        }
    }

    /// <summary>Rows of a group.</summary>
    [MethodImpl(Inline)]
    public static int Rows<TShape>() where TShape : struct, IForwardShape => 16 * TShape.RowTiles * TShape.Warps;

    /// <summary>Dynamic shared memory in bytes: Q, then K and V once or twice.</summary>
    [MethodImpl(Inline)]
    public static int SharedBytes<TShape>() where TShape : struct, IForwardShape =>
        Rows<TShape>() * TileLayout<TShape>.RowBytes + TShape.Stages * 2 * TileLayout<TShape>.TileBytes;

    /// <summary>The kernel. Grid: one group of 32 Warps threads per row tile.</summary>
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
        s.Columns = SharedTile<TShape>.At(memory, columns);
        s.Copy = TileCopy<TShape>.At(memory, columns, Group.IdxX, 0);
        s.Scores = AccumulatorFragment<TShape, Step<TShape>>.Allocate();
        s.Output = AccumulatorFragment<TShape, Width<TShape>>.Allocate();
        s.Scratch = RowFragment<TShape, N16>.Allocate();
        s.Softmax = OnlineSoftmax<TShape>.Empty();
        s.Current = LocalMemory.Allocate<int>(4);
        s.Next = LocalMemory.Allocate<int>(4);
        s.Output.Zero();

        int it = tile.Start, end = tile.End, full = tile.FullEnd;
        s.List = a.Lists;
        s.ColumnBase = tile.ColumnBase;
        s.FirstEntry = TileEntries<TShape>.First(Group.IdxX);
        if (it < end)
            s.Read(it);
        else
            TileEntries<TShape>.Clear(s.Next);
        uint bytes = it < end ? 16u : 0u;
        s.Copy.LoadOrZero(a.Keys, s.Next, 0, 0, bytes);
        if (TShape.Stages == 2)
            s.Copy.LoadOrZero(a.Values, s.Next, 0, TileLayout<TShape>.TileBytes, bytes);
        Intrinsics.CopyCommit();
        s.Advance();
        if (it < end)
            s.Read(IntrinsicMath.Min(it + 1, end - 1));

        uint stage = 0;
        while (it < full)
        {
            Tile<TElement, TShape>(a, s, it, end, stage, masked: false);
            it++;
            stage ^= Other<TShape>();
        }
        while (it < end)
        {
            Tile<TElement, TShape>(a, s, it, end, stage, masked: true);
            it++;
            stage ^= Other<TShape>();
        }
        Intrinsics.CopyWait0();
        Store<TElement, TShape>(a, s, it - end);
    }

    /// <summary>One column tile: starts the copies of the next, and reads the list entry after that, so that no copy
    /// waits for a list.</summary>
    [MethodImpl(Inline)]
    private static void Tile<TElement,
        TShape>(in ForwardArguments a, in State<TShape> s, int it, int end, uint stage, bool masked)
        where TElement : struct, IElement where TShape : struct, IForwardShape
    {
        uint bytes = it + 1 < end ? 16u : 0u;           // nothing is read behind the last tile
        Intrinsics.CopyWait0();
        if (TShape.Stages == 2 && masked)
            ZeroBehindEnd(a, s, it, stage);
        // the tile has landed, and everybody is done with the other buffers
        Group.Barrier();
        if (TShape.Stages == 2)
        {
            s.Copy.LoadOrZero(a.Keys, s.Next, stage ^ Other<TShape>(), 0, bytes);
            s.Copy.LoadOrZero(a.Values, s.Next, stage ^ Other<TShape>(), TileLayout<TShape>.TileBytes, bytes);
            Intrinsics.CopyCommit();
            s.Read(IntrinsicMath.Min(it + 2, end - 1));
        }
        else
        {
            s.Copy.Load(a.Values, s.Current, 0, TileLayout<TShape>.TileBytes);
            Intrinsics.CopyCommit();
        }
        var queries = s.Query;
        var keys = s.Columns.Moved(stage);
        if (TShape.Stages == 1)
        {
            // unknown to the compiler, which otherwise keeps every flipped variant of the addresses in a register
            uint zero = (uint)(s.Next[0] >> 31);
            queries = s.Query.Moved(zero);
            keys = s.Columns.Moved(zero);
        }
        var values = keys.Behind(TileLayout<TShape>.TileBytes);
        for (int c = 0; c < 64 / TShape.StepColumns; c++)
        {
            int firstColumn = c * TShape.StepColumns, distance = firstColumn * TileLayout<TShape>.RowBytes;
            s.Scores.Zero();
            s.Scores.Dot<TElement>(queries, keys.Behind(distance), s.Scratch);                      // S = Q K^T
            if (TShape.Stages == 1)
            {
                Intrinsics.CopyWait0();
                if (masked)
                    ZeroBehindEnd(a, s, it, stage);
                Group.Barrier();                        // V has landed, and everybody is done with K
                s.Copy.LoadOrZero(a.Keys, s.Next, 0, 0, bytes);
                Intrinsics.CopyCommit();
                s.Advance();
                s.Read(IntrinsicMath.Min(it + 2, end - 1));
            }
            if (masked)
                ColumnMask<TShape>.HideFromQueries(s.Scores, a.Lists, it, firstColumn, a.Causal);
            // m' = max(m, S c), O *= 2^(m - m')
            s.Softmax.Raise(s.Scores, s.Output, a.ScaleLog2);
            // P = 2^(S c - m'), l += P
            s.Softmax.Weigh(s.Scores, a.ScaleLog2);
            s.Output.Multiply<TElement, Step<TShape>>(s.Scores, values.Behind(distance), s.Scratch); // O += P V
        }
    }

    /// <summary>Clears the rows of V behind the last key, where keys lie in pages.</summary>
    /// <remarks>In registers it would cost 137 to 345 instructions per tile instead of 16 to 63, and a variant would
    /// spill.</remarks>
    [MethodImpl(Inline)]
    private static void ZeroBehindEnd<TShape>(in ForwardArguments a, in State<TShape> s, int it, uint stage)
        where TShape : struct, IForwardShape
    {
        if (TShape.Paged)
            s.Copy.ZeroBehindEnd(a.Lists, it, s.FirstEntry,
                TileLayout<TShape>.CopyRow(Group.IdxX) % TShape.BlockColumns, stage, TileLayout<TShape>.TileBytes);
    }

    /// <summary>What to flip in a stage to get the other one.</summary>
    [MethodImpl(Inline)]
    private static uint Other<TShape>() where TShape : struct, IForwardShape =>
        TShape.Stages == 2 ? (uint)(2 * TileLayout<TShape>.TileBytes) : 0u;

    /// <summary>O = O / l and LSE. <paramref name="tie"/> is 0, but known only behind the loop: lane geometry is
    /// computed here instead of living through the loop. Rows whose log-sum-exp is finite and whose output is not are
    /// marked: a NaN may come from a value that another row of the tile sees, and is not worth a test in the
    /// loops.</summary>
    [MethodImpl(Inline)]
    private static void Store<TElement, TShape>(in ForwardArguments a, in State<TShape> s, int tie)
        where TElement : struct, IElement where TShape : struct, IForwardShape
    {
        var tile = a.Lists.Rows[Grid.IdxX + tie];
        int thread = Group.IdxX + tie, lane = thread & 31, t = lane & 3,
            first = tile.FirstRow + (thread >> 5) * 16 * TShape.RowTiles + (lane >> 2);
        long output = a.OutputRows.Offset + tile.Batch * a.OutputRows.Batch + tile.Head * a.OutputRows.Head,
            sums = ((long)tile.Batch * a.Heads + tile.Head) * a.LogSumExpRows;
        int firstGroup = (thread >> 5) * TShape.RowTiles;
        for (int m = 0; m < TShape.RowTiles; m++)
        {
            bool isSeen = (tile.SeenRows >> (firstGroup + m) & 1u) != 0;
            int isNonFinite = 0;
            for (int half = 0; half < 2; half++)
            {
                int y = m * 2 + half, row = first + m * 16 + half * 8;
                float total = s.Softmax.Total(y), inverse = isSeen ? Intrinsics.Reciprocal(total) : 0f;
                if (row >= tile.BeginRow && row < tile.EndRow)
                {
                    if (t == 0)
                        a.LogSumExp[sums + row] = s.Softmax.LogSumExp(y, total, isSeen);
                    s.Output.Store<TElement>(m, half, inverse, a.Output, (output + row * a.OutputRows.Row) / 2 + t);
                    if (total > 0f)
                        isNonFinite |= s.Output.ZeroIfFinite(m, half) == 0f ? 0 : 1;
                }
            }
            isNonFinite = WarpVote.Any(isNonFinite);
            if (lane == 0)
                a.NonFinite[(Grid.IdxX + tie) * 8 + firstGroup + m] = isNonFinite;
        }
    }
}

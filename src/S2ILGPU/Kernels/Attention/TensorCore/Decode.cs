using System.Runtime.CompilerServices;
using ILGPU;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.TensorCore;

/// <summary>
/// Attention of one query per sequence: <c>S = Q K^T, P = 2^(S c - m), O = P V / sum P, LSE = ln sum 2^(S c)</c> over
/// one of several parts of a list; <see cref="Merge"/> joins the parts.
/// </summary>
/// <remarks>
/// <para>A group of 4 warps owns the G query heads of one KV head and one part of its list, so that K and V are read
/// once for all of them. Warp w owns columns 16w to 16w + 15 of every tile, which <see cref="KeyValueRing{TShape}"/>
/// brings (cp.async), and needs no barrier of the group until the end. S has the heads as rows (repeated to fill 16);
/// its accumulators are the B operand of <c>O^T = V^T P^T</c>, which has exactly 8 columns (ldmatrix, mma).</para>
/// <para>Roofline: memory bandwidth; tensor cores, shared memory and issue slots take 12, 32 and 11 % of the time that
/// the memory of an H200 needs (counted from SASS). 80 to 90 % of the bandwidth are expected, no device has measured
/// it.</para>
/// <para>Dao et al., Flash-Decoding, 2023: the list is cut so that small batches fill the device.</para>
/// </remarks>
internal static class Decode
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
    private const int Warps = 4, MaxHeads = 8;
    private const float Lowest = -1e30f, Ln2 = 0.6931471805599453f;

    /// <summary>Registers and addresses of one thread.</summary>
    private struct State<TShape> where TShape : struct, IDecodeShape
    {
        public KeyValueRing<TShape> Ring;
        public RowFragment<TShape, Width<TShape>> Query;
        public AccumulatorFragment<TShape, N16> Scores;
        public HeadFragment<TShape> Output;
        public ArrayView<float> Softmax;                // m c and l of head g
    }

    /// <summary>Threads of a group.</summary>
    public const int Threads = Warps * 32;

    /// <summary>Dynamic shared memory in bytes: the rings, used again to join the warps.</summary>
    public static int SharedBytes<TShape>() where TShape : struct, IDecodeShape =>
        Math.Max(Warps * KeyValueRing<TShape>.Bytes,
        Warps * MaxHeads * (HeadFragment<TShape>.Line + 2) * 4);

    /// <summary>The kernel. Grid: row tiles along x, parts along y, groups of 128 threads.</summary>
    public static void Kernel<TElement, TShape>(DecodeArguments a) where TElement : struct, IElement
        where TShape : struct, IDecodeShape
    {
        var tile = a.Lists.Rows[Grid.IdxX];
        State<TShape> s = default;
        s.Ring = KeyValueRing<TShape>.At(a, tile);
        s.Query = LoadQuery<TShape>(a, tile);
        s.Scores = AccumulatorFragment<TShape, N16>.Allocate();
        s.Output = HeadFragment<TShape>.Zero();
        s.Softmax = LocalMemory.Allocate<float>(2);
        s.Softmax[0] = Lowest;
        s.Softmax[1] = 0f;

        int part = (tile.End - tile.Start + a.Splits - 1) / a.Splits, it = tile.Start + Grid.IdxY * part;
        int end = IntrinsicMath.Min(it + part, tile.End), full = IntrinsicMath.Min(tile.FullEnd, end);
        int ahead = s.Ring.Start(it, end);
        uint place = 0;
        while (it < full)
        {
            Tile<TElement, TShape>(a, s, it, place, masked: false);
            s.Ring.LoadBehind(place, ahead, end);
            it++;
            ahead++;
            place = KeyValueRing<TShape>.Following(place);
        }
        while (it < end)
        {
            Tile<TElement, TShape>(a, s, it, place, masked: true);
            s.Ring.LoadBehind(place, ahead, end);
            it++;
            ahead++;
            place = KeyValueRing<TShape>.Following(place);
        }
        Intrinsics.CopyWait0();
        Join<TShape>(a, s);
    }

    /// <summary>The warp's 16 columns of one column tile; then its place of the ring may be filled again.</summary>
    [MethodImpl(Inline)]
    private static void Tile<TElement, TShape>(in DecodeArguments a, in State<TShape> s, int it, uint place,
        bool masked) where TElement : struct, IElement where TShape : struct, IDecodeShape
    {
        KeyValueRing<TShape>.Wait();
        Intrinsics.WarpBarrier();                       // the copies of all lanes are there
        var keys = s.Ring.Keys(place);
        s.Scores.Zero();
        // S = Q K^T
        s.Scores.Dot<TElement>(s.Query, keys);
        int count = masked ? Hide(a, s, it) : 16;
        int t = Group.IdxX & 3;
        // m' = max(m, S c)
        float old = s.Softmax[0], m = IntrinsicMath.Max(IntrinsicMath.Max(s.Scores.Values[0], s.Scores.Values[1]),
            IntrinsicMath.Max(s.Scores.Values[4], s.Scores.Values[5]));
        m = IntrinsicMath.Max(m, Warp.ShuffleXor(m, 1));
        m = IntrinsicMath.Max(old, IntrinsicMath.Max(m, Warp.ShuffleXor(m, 2)) * a.ScaleLog2);
        // P = 2^(S c - m'), l = l 2^(m - m') + P
        float shrink = Intrinsics.Exp2(old - m);
        float p0 = Intrinsics.Exp2(s.Scores.Values[0] * a.ScaleLog2 - m),
            p1 = Intrinsics.Exp2(s.Scores.Values[1] * a.ScaleLog2 - m);
        float p2 = Intrinsics.Exp2(s.Scores.Values[4] * a.ScaleLog2 - m),
            p3 = Intrinsics.Exp2(s.Scores.Values[5] * a.ScaleLog2 - m);
        s.Softmax[0] = m;
        s.Softmax[1] = s.Softmax[1] * shrink + (p0 + p1 + (p2 + p3));
        // O^T = O^T 2^(m - m') + V^T P^T, with the factors of heads 2t and 2t + 1
        float left = Warp.Shuffle(shrink, t * 8), right = Warp.Shuffle(shrink, t * 8 + 4);
        s.Output.ScaleAndMultiply<TElement>(left, right, keys.Behind(TileLayout<TShape>.TileBytes),
            new U2 { X = TElement.Pack(p0, p1), Y = TElement.Pack(p2, p3) },
            masked, new U2 { X = Existing(count), Y = Existing(count - 8) });
        Intrinsics.WarpBarrier();                       // every lane has read its part
    }

    /// <summary>The bits of a pair of 16-bit elements of which the first <paramref name="count"/> exist.</summary>
    [MethodImpl(Inline)]
    private static uint Existing(int count) => count > 1 ? uint.MaxValue : count > 0 ? 0xffffu : 0u;

    /// <summary>Hides columns that are not kept or do not exist; only rows 0 to 7 of S are used. Returns how many there
    /// are from column 2t of the warp on.</summary>
    [MethodImpl(Inline)]
    private static int Hide<TShape>(in DecodeArguments a, in State<TShape> s, int it)
        where TShape : struct, IDecodeShape
    {
        int column = (Group.IdxX >> 5) * 16, first = a.Lists.Positions[it * TileLayout<TShape>.Entries + s.Ring.Entry]
            + column % TShape.BlockColumns + (Group.IdxX & 3) * 2;
        int count = (a.Lists.Masks[it] >> (column / 16) & 1u) != 0 ? a.Lists.Rows[Grid.IdxX].ColumnEnd - first : 0;
        s.Scores.Values[0] = count > 0 ? s.Scores.Values[0] : float.NegativeInfinity;
        s.Scores.Values[1] = count > 1 ? s.Scores.Values[1] : float.NegativeInfinity;
        s.Scores.Values[4] = count > 8 ? s.Scores.Values[4] : float.NegativeInfinity;
        s.Scores.Values[5] = count > 9 ? s.Scores.Values[5] : float.NegativeInfinity;
        return count;
    }

    /// <summary>Q of head g in rows g and g + 8. The repeated rows are loads that the compiler cannot merge, so that
    /// whole operands stay in place; zeros or copies would be moved into every operand in every turn.</summary>
    [MethodImpl(Inline)]
    private static RowFragment<TShape, Width<TShape>> LoadQuery<TShape>(in DecodeArguments a, in RowTile tile)
        where TShape : struct, IDecodeShape
    {
        var query = RowFragment<TShape, Width<TShape>>.Allocate();
        int lane = Group.IdxX & 31, again = a.Splits >> 31;             // 0
        long head = tile.Head + ((lane >> 2) & (TShape.Heads - 1));
        long word = (a.QueryRows.Offset + tile.Batch * a.QueryRows.Batch + tile.BeginRow * a.QueryRows.Row + head
            * a.QueryRows.Head) / 2 + (lane & 3);
        for (int k = 0; k < TShape.HeadDim / 16; k++)
        {
            long at = word + k * 8;
            query.SetTile(0, k, new U4 { X = a.Query[at], Y = a.Query[at + again], Z = a.Query[at + 4],
                W = a.Query[at + 4 + again] });
        }
        return query;
    }

    /// <summary>Joins the warps through shared memory: each head by 16 threads, four columns at a time.</summary>
    [MethodImpl(Inline)]
    private static void Join<TShape>(in DecodeArguments a, in State<TShape> s) where TShape : struct, IDecodeShape
    {
        var memory = s.Ring.Memory;
        int thread = Group.IdxX, warp = thread >> 5, lane = thread & 31, lineBytes = HeadFragment<TShape>.Line * 4;
        uint shared = Intrinsics.SharedAddress(ref memory[0]), sums = shared + (uint)(Warps * MaxHeads * lineBytes);
        float sum = s.Softmax[1];
        sum += Warp.ShuffleXor(sum, 1);
        sum += Warp.ShuffleXor(sum, 2);
        Group.Barrier();                                // all warps have read their rings
        s.Output.Store(shared + (uint)(warp * MaxHeads * lineBytes), memory);
        if ((lane & 3) == 0)
        {
            uint at = sums + (uint)((warp * MaxHeads + (lane >> 2)) * 8);
            Intrinsics.StoreShared(at, 0, s.Softmax[0], ref memory[0]);
            Intrinsics.StoreShared(at, 4, sum, ref memory[0]);
        }
        Group.Barrier();
        int head = thread >> 4;
        var weights = Weights(sums + (uint)(head * 8), memory, out float top, out float total);
        if (head < TShape.Heads)
        {
            long line = ((long)Grid.IdxX * TShape.Heads + head) * a.Splits + Grid.IdxY;
            if ((thread & 15) == 0)
                a.PartialLogSumExp[line] = total == 0f ? float.NegativeInfinity : (top + Intrinsics.Log2(total)) * Ln2;
            for (int i = 0; i < (TShape.HeadDim + 63) / 64; i++)
            {
                int quad = (thread & 15) + i * 16;
                if (quad < TShape.HeadDim / 4)
                    a.PartialOutput[line * (TShape.HeadDim / 4) + quad] =
                        Sum<TShape>(shared + (uint)(head * lineBytes + quad * 16), memory, weights);
            }
        }
    }

    /// <summary>Weights <c>2^(m_w - m) / l</c> of the four warps, from their m and l.</summary>
    [MethodImpl(Inline)]
    private static F4 Weights(uint address, ArrayView<U4> memory, out float top, out float total)
    {
        var s0 = Intrinsics.LoadShared2(address, 0, ref memory[0]);
        var s1 = Intrinsics.LoadShared2(address, MaxHeads * 8, ref memory[0]);
        var s2 = Intrinsics.LoadShared2(address, MaxHeads * 16, ref memory[0]);
        var s3 = Intrinsics.LoadShared2(address, MaxHeads * 24, ref memory[0]);
        top = IntrinsicMath.Max(IntrinsicMath.Max(s0.X, s1.X), IntrinsicMath.Max(s2.X, s3.X));
        float w0 = Intrinsics.Exp2(s0.X - top), w1 = Intrinsics.Exp2(s1.X - top), w2 = Intrinsics.Exp2(s2.X - top),
            w3 = Intrinsics.Exp2(s3.X - top);
        total = w0 * s0.Y + w1 * s1.Y + w2 * s2.Y + w3 * s3.Y;
        float inverse = total == 0f ? 0f : Intrinsics.Reciprocal(total);
        return new F4 { X = w0 * inverse, Y = w1 * inverse, Z = w2 * inverse, W = w3 * inverse };
    }

    /// <summary>Weighted sum of the same four columns of the four warps.</summary>
    [MethodImpl(Inline)]
    private static F4 Sum<TShape>(uint address, ArrayView<U4> memory, F4 weights) where TShape : struct, IDecodeShape
    {
        uint warpBytes = (uint)(MaxHeads * HeadFragment<TShape>.Line * 4);
        var x0 = Intrinsics.LoadShared4(address, 0, ref memory[0]);
        var x1 = Intrinsics.LoadShared4(address, warpBytes, ref memory[0]);
        var x2 = Intrinsics.LoadShared4(address, warpBytes * 2, ref memory[0]);
        var x3 = Intrinsics.LoadShared4(address, warpBytes * 3, ref memory[0]);
        return new F4
        {
            X = x0.X * weights.X + x1.X * weights.Y + x2.X * weights.Z + x3.X * weights.W,
            Y = x0.Y * weights.X + x1.Y * weights.Y + x2.Y * weights.Z + x3.Y * weights.W,
            Z = x0.Z * weights.X + x1.Z * weights.Y + x2.Z * weights.Z + x3.Z * weights.W,
            W = x0.W * weights.X + x1.W * weights.Y + x2.W * weights.Z + x3.W * weights.W,
        };
    }
}

using ILGPU;
using ILGPU.Algorithms;

namespace S2ILGPU.Kernels.Attention.Portable;

/// <summary>
/// One query against its list of keys: <c>s = q K^T scale, o = softmax(s) V</c>. A group owns one query head of one
/// sequence and one part of its list (Grid.Y); a thread owns a key of a tile while scores are computed, and elements of
/// the output while values are summed. The parts are merged by <see cref="PortableMerge"/>.
/// </summary>
/// <remarks>Roofline: memory bandwidth on paper; neighbouring threads read rows of keys that lie D elements apart, so
/// the cache delivers each line in pieces. The share was not measured.</remarks>
internal static class PortableDecode
{
    /// <summary>The widest head: four elements of the output for each thread.</summary>
    public const int MaxHeadDim = 4 * PortableTiles.Threads;

    /// <summary>The arguments are those of the forward pass; Output and LogSumExp are [row tile, part, D] and [row
    /// tile, part].</summary>
    public static void Kernel<TKey>(PortableForwardArguments a)
        where TKey : struct, IReadElement
    {
        var query = SharedMemory.Allocate<float>(MaxHeadDim);
        var scores = SharedMemory.Allocate<float>(PortableTiles.Tile);
        var weights = SharedMemory.Allocate<float>(PortableTiles.Tile);
        var keyStarts = SharedMemory.Allocate<long>(PortableTiles.Tile);
        var valueStarts = SharedMemory.Allocate<long>(PortableTiles.Tile);
        var scales = PortableScales.Allocate();

        var rows = a.Lists.Rows[Grid.IdxX];
        int c = Group.IdxX, part = Grid.IdxY, parts = Grid.DimY, tiles = rows.End - rows.Start;
        int begin = rows.Start + (int)((long)tiles * part / parts),
            end = rows.Start + (int)((long)tiles * (part + 1) / parts);
        long start = PortableTiles.Start(rows, a.QueryRows, rows.FirstRow);
        for (int d = c; d < a.HeadDim; d += PortableTiles.Threads)
            query[d] = StoredSingle.Load(a.Query, start + d);
        Group.Barrier();

        float maximum = float.NegativeInfinity, sum = 0, o0 = 0, o1 = 0, o2 = 0, o3 = 0;
        for (int tile = begin; tile < end; tile++)
        {
            PortableColumns.Find<TKey>(a, rows, tile, c, keyStarts, valueStarts, scales);
            float score = float.NegativeInfinity;
            bool isVisible = tile < rows.FullEnd
                || PortableTiles.IsVisible(a.Lists.Masks[tile], 0, c,
                PortableTiles.Position(a.Lists, a.BlockColumns, tile, c), rows.ColumnEnd, int.MaxValue);
            isVisible = isVisible && keyStarts[c] != PortableTiles.None;
            if (isVisible)
            {
                score = 0;
                for (int d = 0; d < a.HeadDim; d++)
                    score += query[d] * TKey.Load(a.Key, keyStarts[c] + d);
                score *= scales.OfKey<TKey>(c) * a.ScaleLog2;
            }
            scores[c] = score;
            Group.Barrier();

            float before = maximum;
            for (int j = 0; j < PortableTiles.Tile; j++)
                maximum = XMath.Max(maximum, scores[j]);
            float shift = maximum == float.NegativeInfinity ? 0 : maximum, factor = XMath.Exp2(before - shift);
            weights[c] = isVisible ? XMath.Exp2(score - shift) : PortableTiles.Hidden;
            Group.Barrier();

            sum *= factor;
            o0 *= factor;
            o1 *= factor;
            o2 *= factor;
            o3 *= factor;
            for (int j = 0; j < PortableTiles.Tile; j++)
            {
                float weight = weights[j];
                long value = valueStarts[j];
                if (weight == PortableTiles.Hidden) // what is not seen may be anything
                    continue;
                sum += weight;
                weight *= scales.OfValue<TKey>(j);
                if (c < a.HeadDim) o0 += weight * TKey.Load(a.Value, value + c);
                if (c + 64 < a.HeadDim) o1 += weight * TKey.Load(a.Value, value + c + 64);
                if (c + 128 < a.HeadDim) o2 += weight * TKey.Load(a.Value, value + c + 128);
                if (c + 192 < a.HeadDim) o3 += weight * TKey.Load(a.Value, value + c + 192);
            }
            Group.Barrier();
        }

        long row = (long)Grid.IdxX * parts + part, at = row * a.HeadDim + c;
        float inverse = sum == 0 ? 0 : 1 / sum;
        if (c < a.HeadDim) StoredSingle.Store(a.Output, at, o0 * inverse);
        if (c + 64 < a.HeadDim) StoredSingle.Store(a.Output, at + 64, o1 * inverse);
        if (c + 128 < a.HeadDim) StoredSingle.Store(a.Output, at + 128, o2 * inverse);
        if (c + 192 < a.HeadDim) StoredSingle.Store(a.Output, at + 192, o3 * inverse);
        if (c == 0)
            a.LogSumExp[row] = sum == 0 ? float.NegativeInfinity : (maximum + XMath.Log2(sum)) * 0.693147180559945f;
    }
}

using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Algorithms;
using S2ILGPU.Tiles;

namespace S2ILGPU.Kernels.Attention.Portable;

/// <summary>
/// <c>S = Q K^T scale</c> of sampled rows against all keys, reduced at once to a log-sum-exp for each row and piece; a
/// piece is an entry of at most 64 keys of one block. A group owns 64 rows and 64 keys of one head; a thread owns 8x8
/// scores, and for the sums one row.
/// </summary>
/// <remarks>Grid: tiles of keys, tiles of rows, heads. Roofline: shared memory and fp32 units alike, 2 D operations per
/// row and key; the share was not measured.</remarks>
internal static class SampleScores
{
    private const float Log2E = 1.4426950408889634f, Ln2 = 0.693147180559945f;

    public static void Kernel<TKey>(SampleScoreArguments a)
        where TKey : struct, IReadElement
    {
        int i = Group.IdxX, rows = a.Rows.IntLength, first = Grid.IdxX * PortableTiles.Tile,
            r = Grid.IdxY * PortableTiles.Tile + i,
            last = IntrinsicMath.Min(rows, (Grid.IdxY + 1) * PortableTiles.Tile) - 1;
        if (first > a.Rows[last]) // no row of the tile sees a key of it
            return;
        var chunks = SharedMemory.Allocate<float>(2 * PortableTiles.Tile * PortableTiles.ChunkPitch);
        var weights = SharedMemory.Allocate<float>(PortableTiles.Tile * PortableTiles.TilePitch);
        var queryStarts = SharedMemory.Allocate<long>(PortableTiles.Tile);
        var keyStarts = SharedMemory.Allocate<long>(PortableTiles.Tile);
        var scales = PortableScales.Allocate();
        int head = a.FirstHead + Grid.IdxZ, position = -1;
        long queryStart = PortableTiles.None;
        if (r < rows)
        {
            position = a.Rows[r];
            queryStart = a.QueryRows.Offset + a.Batch * a.QueryRows.Batch + head * a.QueryRows.Head
                + (a.QueryStart + position - a.FirstPosition) * a.QueryRows.Row;
        }
        queryStarts[i] = queryStart;
        keyStarts[i] = KeyStart<TKey>(a, head / a.GroupHeads, first + i, i, scales);
        Group.Barrier();

        var scores = new Block8x8();
        for (int d = 0; d < a.HeadDim; d += PortableTiles.Chunk)
        {
            PortableTiles.LoadChunks<StoredSingle, TKey>(chunks, a.Query, queryStarts, a.Key, keyStarts, d, a.HeadDim);
            Group.Barrier();
            PortableTiles.Dot(ref scores, chunks, IntrinsicMath.Min(PortableTiles.Chunk, a.HeadDim - d));
            Group.Barrier();
        }
        scores.Store(weights, i % 8, i / 8, PortableTiles.TilePitch);
        Group.Barrier();
        for (int c = 0; c < PortableTiles.Tile && first + c <= position; c += a.BlockColumns)
            a.Scores[((long)Grid.IdxZ * rows + r) * a.Pieces + (first + c) / a.BlockColumns] =
                Piece<TKey>(a, weights.SubView(i * PortableTiles.TilePitch, PortableTiles.Tile), scales, c,
                    IntrinsicMath.Min(c + a.BlockColumns, position - first + 1));
    }

    // ln sum exp(s) over columns of a row; NaN where a score is NaN or +inf.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Piece<TKey>(in SampleScoreArguments a, ArrayView<float> row, in PortableScales scales,
        int begin, int end)
        where TKey : struct, IReadElement
    {
        float maximum = float.NegativeInfinity, sum = 0;
        for (int c = begin; c < end; c++)
            maximum = XMath.Max(maximum, row[c] * scales.OfKey<TKey>(c) * a.Scale);
        float shift = maximum == float.NegativeInfinity ? 0 : maximum;
        for (int c = begin; c < end; c++)
            sum += XMath.Exp2((row[c] * scales.OfKey<TKey>(c) * a.Scale - shift) * Log2E);
        return shift + XMath.Log2(sum) * Ln2;
    }

    // Thread c finds the key of column c, and its scale where the element type has one.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long KeyStart<TKey>(in SampleScoreArguments a, int keyHead, int position, int c,
        in PortableScales scales)
        where TKey : struct, IReadElement
    {
        bool exists = position < a.KeyCount;
        if (a.PageEntries == 0)
            return exists ? a.KeyRows.Offset + a.Batch * a.KeyRows.Batch + keyHead * a.KeyRows.Head
                + (a.KeyStart + position) * a.KeyRows.Row : PortableTiles.None;
        int physical = -1, entry = position / a.BlockColumns;
        if (exists)
            physical = a.Pages[a.PageBase + keyHead * a.PageBlocks + entry];
        int page = physical / a.PageEntries, row = (physical - page * a.PageEntries) * a.BlockColumns
            + position - entry * a.BlockColumns;
        long start = a.KeyRows.Offset + page * a.KeyRows.Batch;
        if (TKey.HasScales)
            scales.Set(c, physical < 0 ? 0
                : PortableColumns.Scale(a.Key, start, a.PageEntries * a.BlockColumns, row, a.HeadDim), 0);
        return physical < 0 ? PortableTiles.None : start + row * a.KeyRows.Row;
    }
}

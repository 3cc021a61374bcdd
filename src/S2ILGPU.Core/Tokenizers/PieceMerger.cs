using System.Buffers;

namespace S2ILGPU.Tokenizers;

/// <summary>Merges the tokens of one piece: always the adjacent pair of lowest rank, the leftmost of equals, until no
/// pair merges.</summary>
internal static class PieceMerger
{
    // Up to here a linear scan for the best pair is faster than a heap.
    private const int LongestScanned = 96;

    /// <summary>Merges in place and returns the number of tokens left at the start of <paramref name="ids"/>.</summary>
    public static int Merge(PairTable table, Span<int> ids) =>
        ids.Length <= LongestScanned ? MergeByScan(table, ids) : MergeByHeap(table, ids);

    // O(n^2) with a small constant.
    public static int MergeByScan(PairTable table, Span<int> ids)
    {
        int count = ids.Length;
        Span<long> merges = stackalloc long[LongestScanned]; // merges[i] of the pair (i, i + 1)
        for (int i = 0; i + 1 < count; i++)
            merges[i] = table.Find(ids[i], ids[i + 1]);
        while (count > 1)
        {
            int best = 0;
            for (int i = 1; i + 1 < count; i++)
                if (merges[i] < merges[best])
                    best = i;
            if (merges[best] == PairTable.None)
                break;
            ids[best] = PairTable.Id(merges[best]);
            ids[(best + 2)..count].CopyTo(ids[(best + 1)..]);
            merges[(best + 1)..(count - 1)].CopyTo(merges[best..]);
            count--;
            if (best > 0)
                merges[best - 1] = table.Find(ids[best - 1], ids[best]);
            if (best + 1 < count)
                merges[best] = table.Find(ids[best], ids[best + 1]);
        }
        return count;
    }

    // O(n log n): a heap of (rank, position) over a linked list; entries that are out of date are recognised when they
    // come up.
    public static int MergeByHeap(PairTable table, Span<int> ids)
    {
        int[] next = ArrayPool<int>.Shared.Rent(ids.Length), previous = ArrayPool<int>.Shared.Rent(ids.Length);
        var heap = new PriorityQueue<int, long>(ids.Length);
        for (int i = 0; i < ids.Length; i++)
        {
            (next[i], previous[i]) = (i + 1, i - 1);
            if (i + 1 < ids.Length)
                Offer(table, ids, heap, i, i + 1);
        }
        while (heap.TryDequeue(out int left, out long priority))
        {
            int right = next[left];
            if (ids[left] < 0 || right >= ids.Length)
                continue;
            long merge = table.Find(ids[left], ids[right]);
            if (merge == PairTable.None || PairTable.Rank(merge) != (int)(priority >> 32))
                continue;
            ids[left] = PairTable.Id(merge);
            ids[right] = -1;
            next[left] = next[right];
            if (next[left] < ids.Length)
            {
                previous[next[left]] = left;
                Offer(table, ids, heap, left, next[left]);
            }
            if (previous[left] >= 0)
                Offer(table, ids, heap, previous[left], left);
        }
        int count = 0;
        for (int i = 0; i < ids.Length; i = next[i])
            ids[count++] = ids[i];
        ArrayPool<int>.Shared.Return(next);
        ArrayPool<int>.Shared.Return(previous);
        return count;
    }

    private static void Offer(PairTable table, Span<int> ids, PriorityQueue<int, long> heap, int left, int right)
    {
        long merge = table.Find(ids[left], ids[right]);
        if (merge != PairTable.None)
            heap.Enqueue(left, (long)PairTable.Rank(merge) << 32 | (uint)left);
    }
}

namespace S2ILGPU.Training;

/// <summary>Neighbouring elements of a parameter, and where they lie in a bucket.</summary>
/// <param name="Parameter">Index of the parameter.</param>
/// <param name="Start">First element of the parameter.</param>
/// <param name="Count">Number of elements.</param>
/// <param name="Offset">Place of the first one in the bucket.</param>
internal readonly record struct BucketPiece(int Parameter, int Start, int Count, int Offset)
{
    /// <summary>Cuts parameters into buckets, the last parameter first, as a backward walk completes them.</summary>
    /// <param name="counts">Elements of each parameter.</param>
    /// <param name="bucketElements">The most elements of a bucket; all but the last have as many.</param>
    public static List<BucketPiece[]> Cut(IReadOnlyList<long> counts, int bucketElements)
    {
        var buckets = new List<BucketPiece[]>();
        var bucket = new List<BucketPiece>();
        int filled = 0;
        for (int p = counts.Count - 1; p >= 0; p--)
            for (long start = 0; start < counts[p];)
            {
                int count = (int)Math.Min(counts[p] - start, bucketElements - filled);
                bucket.Add(new BucketPiece(p, checked((int)start), count, filled));
                (start, filled) = (start + count, filled + count);
                if (filled == bucketElements)
                    Close();
            }
        if (filled > 0)
            Close();
        return buckets;

        void Close()
        {
            buckets.Add([.. bucket]);
            bucket.Clear();
            filled = 0;
        }
    }

    /// <summary>What lies of some pieces in a range of their bucket.</summary>
    public static IEnumerable<BucketPiece> Within(IEnumerable<BucketPiece> pieces, int start, int end) =>
        pieces.Select(piece => piece.Within(start, end)).OfType<BucketPiece>();

    /// <summary>The elements that lie in a range of the bucket, if there are any.</summary>
    public BucketPiece? Within(int start, int end)
    {
        int first = Math.Max(start, Offset), last = Math.Min(end, Offset + Count);
        return first < last ? new BucketPiece(Parameter, Start + first - Offset, last - first, first) : null;
    }
}

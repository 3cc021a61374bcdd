namespace S2ILGPU.Engines;

/// <summary>Where one sequence of a batch lies in the query and key tensors.</summary>
/// <param name="Batch">Index of the batch dimension.</param>
/// <param name="QueryStart">First row of the token dimension that is a query of the sequence.</param>
/// <param name="QueryCount">Nq, number of queries: the last positions of the sequence.</param>
/// <param name="KeyStart">First row of the token dimension that is a key of the sequence.</param>
/// <param name="KeyCount">Nk, number of keys; at least <paramref name="QueryCount"/>. Query i sits at position Nk - Nq
/// + i.</param>
public readonly record struct Sequence(int Batch, int QueryStart, int QueryCount, int KeyStart, int KeyCount)
{
    /// <summary>Position of the first query in the sequence.</summary>
    public int FirstQueryPosition => KeyCount - QueryCount;
}

/// <summary>The sequences of a batch: all of one length, padded to one length, or packed one after the other
/// (varlen).</summary>
/// <remarks>Immutable for its users. Token rows that belong to no sequence are padding: output 0, log-sum-exp -inf,
/// gradients 0.</remarks>
public sealed class SequenceBatch
{
    private readonly Sequence[] _sequences;

    /// <summary>Creates a batch of the given sequences.</summary>
    /// <param name="sequences">The sequences; their rows must not overlap.</param>
    /// <exception cref="ArgumentException">A sequence has a negative count or start, or more queries than
    /// keys.</exception>
    public SequenceBatch(params ReadOnlySpan<Sequence> sequences)
    {
        _sequences = new Sequence[sequences.Length];
        Update(sequences);
    }

    /// <summary>Replaces the sequences by as many others, for the one batch that a cache keeps so that a decoding step
    /// allocates nothing. Engines keep no batch beyond a call.</summary>
    internal void Update(ReadOnlySpan<Sequence> sequences)
    {
        foreach (var s in sequences)
            if (s.Batch < 0 || s.QueryStart < 0 || s.KeyStart < 0 || s.QueryCount < 0 || s.KeyCount < s.QueryCount)
                throw new ArgumentException($"a sequence needs starts >= 0 and 0 <= queries <= keys, got {s}");
        sequences.CopyTo(_sequences);
    }

    /// <summary>The sequences.</summary>
    public ReadOnlySpan<Sequence> Sequences => _sequences;

    /// <summary>The largest key count of a sequence; 0 without sequences.</summary>
    public int MaxKeyCount
    {
        get
        {
            int max = 0;
            foreach (var s in _sequences)
                max = Math.Max(max, s.KeyCount);
            return max;
        }
    }

    /// <summary>B sequences of the same length, as tensors [B, Nq, H, D] and [B, Nk, Hkv, D] hold them.</summary>
    /// <param name="batch">B.</param>
    /// <param name="queryTokens">Nq.</param>
    /// <param name="keyTokens">Nk.</param>
    /// <exception cref="ArgumentException">A number is negative, or there are more queries than keys.</exception>
    public static SequenceBatch Uniform(int batch, int queryTokens, int keyTokens)
    {
        if (batch < 0)
            throw new ArgumentException($"a batch has 0 sequences or more, got {batch}");
        var sequences = new Sequence[batch];
        for (int b = 0; b < batch; b++)
            sequences[b] = new Sequence(b, 0, queryTokens, 0, keyTokens);
        return new SequenceBatch(sequences);
    }

    /// <summary>Sequences of different lengths, each at the start of its own padded row of the batch.</summary>
    /// <param name="queryCounts">Nq of each sequence.</param>
    /// <param name="keyCounts">Nk of each sequence.</param>
    /// <exception cref="ArgumentException">The counts differ in number.</exception>
    public static SequenceBatch Padded(ReadOnlySpan<int> queryCounts, ReadOnlySpan<int> keyCounts)
    {
        CheckSameLength(queryCounts, keyCounts);
        var sequences = new Sequence[queryCounts.Length];
        for (int b = 0; b < sequences.Length; b++)
            sequences[b] = new Sequence(b, 0, queryCounts[b], 0, keyCounts[b]);
        return new SequenceBatch(sequences);
    }

    /// <summary>Sequences one after the other in tensors with a batch extent of 1 (varlen).</summary>
    /// <param name="queryCounts">Nq of each sequence.</param>
    /// <param name="keyCounts">Nk of each sequence.</param>
    /// <exception cref="ArgumentException">The counts differ in number, one is negative, or their sum is beyond an
    /// extent.</exception>
    public static SequenceBatch Packed(ReadOnlySpan<int> queryCounts, ReadOnlySpan<int> keyCounts)
    {
        CheckSameLength(queryCounts, keyCounts);
        CheckSum("query", queryCounts);
        CheckSum("key", keyCounts);
        var sequences = new Sequence[queryCounts.Length];
        for (int s = 0, query = 0, key = 0; s < sequences.Length; query += queryCounts[s], key += keyCounts[s], s++)
            sequences[s] = new Sequence(0, query, queryCounts[s], key, keyCounts[s]);
        return new SequenceBatch(sequences);
    }

    /// <summary>Whether two batches, null for one whose sequences have the tensors' length, are the same
    /// sequences.</summary>
    internal static bool HaveSameContent(SequenceBatch? left, SequenceBatch? right) =>
        left is null || right is null ? left == right : left.Sequences.SequenceEqual(right.Sequences);

    /// <summary>Whether two batches have the same query rows in the same order; null fits all, since its rows are not
    /// known.</summary>
    internal static bool HaveSameQueries(SequenceBatch? left, SequenceBatch? right)
    {
        if (left is null || right is null)
            return true;
        if (left._sequences.Length != right._sequences.Length)
            return false;
        for (int s = 0; s < left._sequences.Length; s++)
        {
            var (l, r) = (left._sequences[s], right._sequences[s]);
            if ((l.Batch, l.QueryStart, l.QueryCount) != (r.Batch, r.QueryStart, r.QueryCount))
                return false;
        }
        return true;
    }

    private static void CheckSameLength(ReadOnlySpan<int> queryCounts, ReadOnlySpan<int> keyCounts)
    {
        if (queryCounts.Length != keyCounts.Length)
            throw new ArgumentException($"{queryCounts.Length} query counts but {keyCounts.Length} key counts");
    }

    private static void CheckSum(string what, ReadOnlySpan<int> counts)
    {
        long sum = 0;
        foreach (int count in counts)
            sum += Math.Max(0, count);
        if (sum > int.MaxValue)
            throw new ArgumentException(
                $"the {what} counts of {counts.Length} packed sequences sum to {sum}, more than {int.MaxValue}");
    }
}

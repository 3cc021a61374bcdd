using S2ILGPU.Tensors;

namespace S2ILGPU.Distributed.Hosts;

/// <summary>A range of elements that goes to a rank or comes from one.</summary>
internal readonly record struct HostRange(long Start, long Count)
{
    /// <summary>Equal ranges, one after the other.</summary>
    public static HostRange[] Equal(long count, int ranks) =>
        [.. Enumerable.Range(0, ranks).Select(rank => new HostRange(rank * count, count))];

    /// <summary>The same range for every rank.</summary>
    public static HostRange[] Same(HostRange range, int ranks) => [.. Enumerable.Repeat(range, ranks)];

    /// <summary>Ranges that cut a vector as equally as it goes.</summary>
    public static HostRange[] Cut(long count, int ranks) =>
        [.. Enumerable.Range(0, ranks).Select(rank => Between(count * rank / ranks, count * (rank + 1) / ranks))];

    /// <summary>Ranges of given lengths, one after the other, which must be the whole tensor.</summary>
    /// <exception cref="ShapeException">There is not one for each rank, one is negative, or they are not the
    /// whole.</exception>
    public static HostRange[] OfCounts(string operation, string argument, Tensor tensor, ReadOnlySpan<int> counts,
        int ranks)
    {
        var ranges = new HostRange[counts.Length];
        long start = 0;
        bool isNegative = false;
        for (int i = 0; i < counts.Length; start += counts[i++])
        {
            isNegative |= counts[i] < 0;
            ranges[i] = new HostRange(start, counts[i]);
        }
        return !isNegative && counts.Length == ranks && start == tensor.Count ? ranges
            : throw new ShapeException(operation, $"the counts of {argument}",
                $"{ranks} numbers that sum to {tensor.Count}", $"[{string.Join(", ", counts.ToArray())}]");
    }

    private static HostRange Between(long start, long end) => new(start, end - start);
}

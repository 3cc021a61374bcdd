using S2ILGPU.Cluster.Wire;

namespace S2ILGPU.Cluster.Planning;

/// <summary>Which instances lend what to a debtor (Infinite-LLM, section 6): greedily those whose own throughput
/// suffers least, so that the throughput of debtor and creditor together is highest.</summary>
/// <remarks>A step of b sequences reads all weights and the pages in use, and gives b tokens: <c>T = b / (weights +
/// pages)</c>. What the debtor gains is the same whoever lends, as it needs all of its wish.</remarks>
internal static class LendingPlan
{
    /// <summary>Tokens for each byte that is read.</summary>
    public static double Throughput(int sequences, long pageBytes, long weightBytes) =>
        sequences / (double)Math.Max(1, weightBytes + pageBytes);

    /// <summary>The loans of a wish; whole KV heads of a layer, so that nothing is merged between creditors.</summary>
    /// <param name="wish">The wish.</param>
    /// <param name="creditors">Who may lend.</param>
    /// <param name="weightBytes">Bytes of the weights of an instance.</param>
    /// <returns>In the order of the heads; empty where there is not enough room.</returns>
    public static PlannedLoan[] Make(LoanWish wish, IReadOnlyCollection<(string Name, PoolLoad Load)> creditors,
        long weightBytes) =>
        Fill(wish, creditors, (load, bytes) => Loss(load, bytes, weightBytes)) is { Length: > 0 } loans ? loans
        : Fill(wish, creditors, ByRoom);

    /// <summary>Whether <see cref="Make"/> finds room when nothing runs anywhere.</summary>
    public static bool IsPossible(LoanWish wish, IReadOnlyCollection<PoolSize> creditors) =>
        Fill(wish, [.. creditors.Select(c => (c.Name, new PoolLoad(0, 0, c.Bytes, c.Bytes)))], ByRoom).Length > 0;

    // Those with the least cost first, each as many heads in a row as it has room for.
    private static PlannedLoan[] Fill(LoanWish wish, IReadOnlyCollection<(string Name, PoolLoad Load)> creditors,
        Func<PoolLoad, long, double> cost)
    {
        var left = creditors.ToList();
        var loans = new List<PlannedLoan>();
        for (int next = 0; next < wish.Bytes.Length;)
        {
            var best = left.Select(creditor => (creditor.Name, creditor.Load, Part: Fitting(wish, next, creditor.Load)))
                .Where(creditor => creditor.Part.Count > 0)
                .OrderBy(creditor => cost(creditor.Load, creditor.Part.Bytes))
                .ThenBy(creditor => creditor.Load.UsedBytes)
                .ThenBy(creditor => creditor.Name, StringComparer.Ordinal)
                .FirstOrDefault();
            if (best.Part.Count == 0)
                return [];
            loans.Add(new PlannedLoan(best.Name, wish.First + next, best.Part.Count, best.Part.Bytes));
            left.RemoveAll(creditor => creditor.Name == best.Name);
            left.Add((best.Name, best.Load with
            {
                UsedBytes = best.Load.UsedBytes + best.Part.Bytes,
                FreeBytes = best.Load.FreeBytes - best.Part.Bytes,
            }));
            next += best.Part.Count;
        }
        return [.. loans];
    }

    // The heads from one on for which a creditor has room.
    private static (int Count, long Bytes) Fitting(LoanWish wish, int next, PoolLoad load)
    {
        int count = 0;
        long bytes = 0;
        while (next + count < wish.Bytes.Length && bytes + wish.Bytes[next + count] <= load.FreeBytes)
            bytes += wish.Bytes[next + count++];
        return (count, bytes);
    }

    // The same order whenever nothing runs, so that what is possible then is found.
    private static double ByRoom(PoolLoad load, long bytes) => -load.FreeBytes;

    // What the creditor's own sequences lose for each byte that it lends.
    private static double Loss(PoolLoad load, long bytes, long weightBytes) =>
        (Throughput(load.Running, load.UsedBytes, weightBytes)
        - Throughput(load.Running, load.UsedBytes + bytes, weightBytes)) / Math.Max(1, bytes);
}

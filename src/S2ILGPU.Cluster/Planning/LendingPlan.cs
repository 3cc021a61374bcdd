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

    /// <summary>The loans of a wish; whole KV heads, so that nothing is merged between creditors.</summary>
    /// <param name="wish">The wish.</param>
    /// <param name="creditors">Who may lend.</param>
    /// <param name="weightBytes">Bytes of the weights of an instance.</param>
    /// <returns>In the order of the heads; empty where there is not enough room.</returns>
    public static PlannedLoan[] Make(LoanWish wish, IEnumerable<(string Name, PoolLoad Load)> creditors,
        long weightBytes)
    {
        var left = creditors.ToList();
        var loans = new List<PlannedLoan>();
        for (int head = 0; head < wish.HeadBytes.Length;)
        {
            var best = left.Select(creditor => (creditor.Name, creditor.Load, Part: Fitting(wish, head, creditor.Load)))
                .Where(creditor => creditor.Part.Heads > 0)
                .OrderBy(creditor => Loss(creditor.Load, creditor.Part.Bytes, weightBytes))
                .ThenBy(creditor => creditor.Load.UsedBytes)
                .ThenBy(creditor => creditor.Name, StringComparer.Ordinal)
                .FirstOrDefault();
            if (best.Part.Heads == 0)
                return [];
            loans.Add(new PlannedLoan(best.Name, wish.FirstHead + head, best.Part.Heads, best.Part.Bytes));
            left.RemoveAll(creditor => creditor.Name == best.Name);
            head += best.Part.Heads;
        }
        return [.. loans];
    }

    // The heads from one on for which a creditor has room.
    private static (int Heads, long Bytes) Fitting(LoanWish wish, int head, PoolLoad load)
    {
        int heads = 0;
        long bytes = 0;
        while (head + heads < wish.HeadBytes.Length && bytes + wish.HeadBytes[head + heads] <= load.FreeBytes)
            bytes += wish.HeadBytes[head + heads++];
        return (heads, bytes);
    }

    // What the creditor's own sequences lose for each byte that it lends.
    private static double Loss(PoolLoad load, long bytes, long weightBytes) =>
        (Throughput(load.Running, load.UsedBytes, weightBytes)
        - Throughput(load.Running, load.UsedBytes + bytes, weightBytes)) / Math.Max(1, bytes);
}

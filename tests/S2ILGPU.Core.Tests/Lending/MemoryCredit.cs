using S2ILGPU.Lending;
using S2ILGPU.Scheduling;

namespace S2ILGPU.Core.Tests.Lending;

/// <summary>Creditors in this process, without a cluster: the next ones in turn that have room.</summary>
internal sealed class MemoryCredit(params PageLender[] creditors) : IPageCredit
{
    public long MostBytes { get; set; } = long.MaxValue;

    /// <summary>Bytes that crossed, by kind: keys and values, queries, answers.</summary>
    public long PageBytes { get; private set; }

    public long QueryBytes { get; private set; }

    public long AnswerBytes { get; private set; }

    /// <summary>Calls until creditors answer no more; null for never.</summary>
    public int? CallsLeft { get; set; }

    public int Borrowed { get; private set; }

    /// <summary>The most KV heads of layers in a loan.</summary>
    public int MostCount { get; init; } = int.MaxValue;

    public bool MayLend(int first, IReadOnlyList<long> bytes) => bytes.Sum() <= MostBytes;

    public IReadOnlyList<IPageLoan>? TryBorrow(int first, IReadOnlyList<long> bytes)
    {
        var loans = new List<IPageLoan>();
        for (int next = 0; next < bytes.Count;)
        {
            int count = Math.Min(MostCount, bytes.Count - next);
            var id = Guid.NewGuid();
            long sum = bytes.Skip(next).Take(count).Sum();
            if (creditors.FirstOrDefault(c => c.TryLend(id, first + next, count, sum)) is not { } creditor)
            {
                loans.ForEach(loan => loan.Dispose());
                return null;
            }
            loans.Add(new Loan(this, creditor, id, first + next, count));
            next += count;
        }
        Borrowed++;
        return loans;
    }

    private void Count()
    {
        if (CallsLeft is not { } left)
            return;
        CallsLeft = left - 1;
        if (left <= 0)
            throw new IOException("the creditor is gone");
    }

    private sealed class Loan(MemoryCredit credit, PageLender creditor, Guid id, int first, int count) : IPageLoan
    {
        public int First => first;

        public int Count => count;

        // Each twice: writes may be repeated.
        public Task PutAsync(int layer, int[] places, byte[] pages)
        {
            credit.PageBytes += pages.Length;
            return Task.Run(() =>
            {
                credit.Count();
                creditor.Put(id, layer, places, pages);
                creditor.Put(id, layer, places, pages);
            });
        }

        public Task<byte[]> AttendAsync(int layer, int position, int tokens, byte[] query)
        {
            credit.QueryBytes += query.Length;
            return Task.Run(() =>
            {
                credit.Count();
                byte[] answer = creditor.Attend(id, layer, position, tokens, query);
                credit.AnswerBytes += answer.Length;
                return answer;
            });
        }

        public void Dispose() => creditor.Return(id);
    }
}

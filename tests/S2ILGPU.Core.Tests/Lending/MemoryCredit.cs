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

    /// <summary>The most KV heads of a loan.</summary>
    public int MostHeads { get; init; } = int.MaxValue;

    public IReadOnlyList<IPageLoan>? TryBorrow(int firstHead, IReadOnlyList<long> headBytes)
    {
        var loans = new List<IPageLoan>();
        for (int head = 0; head < headBytes.Count;)
        {
            int heads = Math.Min(MostHeads, headBytes.Count - head);
            var id = Guid.NewGuid();
            long bytes = headBytes.Skip(head).Take(heads).Sum();
            if (creditors.FirstOrDefault(c => c.TryLend(id, firstHead + head, heads, bytes)) is not { } creditor)
            {
                loans.ForEach(loan => loan.Dispose());
                return null;
            }
            loans.Add(new Loan(this, creditor, id, firstHead + head, heads));
            head += heads;
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

    private sealed class Loan(MemoryCredit credit, PageLender creditor, Guid id, int firstHead, int heads) : IPageLoan
    {
        public int FirstHead => firstHead;

        public int Heads => heads;

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

using S2ILGPU.Lending;

namespace S2ILGPU.Serving.Metrics;

/// <summary>What a server borrows of others and lends to them, as metrics.</summary>
internal sealed record LendingFigures(BorrowingCounters Borrowed, LendingCounters Lent, long MostBytes)
{
    /// <summary>Those of a server; null for one alone.</summary>
    public static LendingFigures? Of(ModelServer server) => server.Lender is not { } lender ? null
        : new LendingFigures(server.Scheduler.Borrowing, lender.Counters, server.Scheduler.Credit?.MostBytes ?? 0);

    public void Write(MetricsText text)
    {
        text.Gauge("s2_borrowed_pages", "Pages of other instances in use for this one.", Borrowed.Pages);
        text.Gauge("s2_borrowable_bytes", "Bytes of pages that other instances lend at most.", MostBytes);
        text.Counter("s2_borrow_page_bytes_total", "Bytes of keys and values sent to creditors.",
            Borrowed.PageBytesSent);
        text.Counter("s2_borrow_query_bytes_total", "Bytes of queries sent to creditors.", Borrowed.QueryBytesSent);
        text.Counter("s2_borrow_output_bytes_total", "Bytes of outputs and log-sum-exps received from creditors.",
            Borrowed.OutputBytesReceived);
        text.Counter("s2_borrow_losses_total", "Times that a text was computed again because a creditor was lost.",
            Borrowed.Losses);
        text.Gauge("s2_lent_loans", "Loans to other instances.", Lent.Loans);
        text.Gauge("s2_lent_pages", "Pages in use for other instances.", Lent.UsedPages);
        text.Gauge("s2_lent_bytes_reserved", "Bytes of pages that other instances may use.", Lent.ReservedBytes);
    }
}

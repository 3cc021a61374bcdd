namespace S2ILGPU.Lending;

/// <summary>Where a scheduler borrows pages: the other instances of a cluster.</summary>
/// <remarks>Called by the thread of the scheduler, except <see cref="MostBytes"/>, which any thread may read.</remarks>
public interface IPageCredit
{
    /// <summary>Bytes that the others could lend at most, if nothing ran there.</summary>
    long MostBytes { get; }

    /// <summary>Reserves pages for KV heads.</summary>
    /// <param name="firstHead">The first KV head; all later ones are meant, too.</param>
    /// <param name="headBytes">Bytes at most of each.</param>
    /// <returns>Loans of ranges of these heads in ascending order; null when there is not enough room now.</returns>
    IReadOnlyList<IPageLoan>? TryBorrow(int firstHead, IReadOnlyList<long> headBytes);
}

/// <summary>Pages of another instance (the creditor) for the far blocks of some KV heads of one sequence. Dispose it to
/// give them back.</summary>
/// <remarks>Every call may fail with any exception: the pages are lost then.</remarks>
public interface IPageLoan : IDisposable
{
    /// <summary>The first KV head.</summary>
    int FirstHead { get; }

    /// <summary>Number of KV heads.</summary>
    int Heads { get; }

    /// <summary>Writes pages. Repeating it changes nothing.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="places">KV head, counted from <see cref="FirstHead"/>, and block of each page, one after the
    /// other.</param>
    /// <param name="pages">Keys, then values of each page.</param>
    Task PutAsync(int layer, int[] places, byte[] pages);

    /// <summary>Attention over the pages of a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="position">Position of the first query.</param>
    /// <param name="tokens">T, number of queries.</param>
    /// <param name="query">Queries [T, H, D] of the query heads of these KV heads.</param>
    /// <returns>Outputs [T, H, D], then log-sum-exps [H, T] as float32.</returns>
    Task<byte[]> AttendAsync(int layer, int position, int tokens, byte[] query);
}

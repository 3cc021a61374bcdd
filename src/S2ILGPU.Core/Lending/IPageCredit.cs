namespace S2ILGPU.Lending;

/// <summary>Where a scheduler borrows pages: the other instances of a cluster. KV heads of all L layers are numbered
/// head by head: head h of layer l is <c>h L + l</c>.</summary>
/// <remarks>Any thread may call <see cref="MostBytes"/> and <see cref="MayLend"/>, only that of the scheduler the
/// others.</remarks>
public interface IPageCredit
{
    /// <summary>Bytes that the others could lend at most, if nothing ran there.</summary>
    long MostBytes { get; }

    /// <summary>Whether the others could lend pages for KV heads, if nothing ran there. What it denies is never
    /// lent.</summary>
    /// <param name="first">Number of the first KV head of a layer; all later ones are meant, too.</param>
    /// <param name="bytes">Bytes at most of each.</param>
    bool MayLend(int first, IReadOnlyList<long> bytes);

    /// <summary>Reserves pages for KV heads.</summary>
    /// <param name="first">Number of the first KV head of a layer; all later ones are meant, too.</param>
    /// <param name="bytes">Bytes at most of each.</param>
    /// <returns>Loans of ranges of these heads in ascending order; null when there is not enough room now, or not
    /// yet: what is asked for may be reserved until it is asked for again.</returns>
    IReadOnlyList<IPageLoan>? TryBorrow(int first, IReadOnlyList<long> bytes);

    /// <summary>Gives back what is reserved since <see cref="TryBorrow"/> was last answered with null: it cannot be
    /// used now. Two instances that hold pages of each other and wait for their own would wait for ever.</summary>
    /// <returns>Whether anything was reserved, or was about to be.</returns>
    bool GiveUp();
}

/// <summary>Pages of another instance (the creditor) for the far blocks of some KV heads of one sequence, numbered
/// as in <see cref="IPageCredit"/>. Dispose it to give them back.</summary>
/// <remarks>Every call may fail with any exception: the pages are lost then.</remarks>
public interface IPageLoan : IDisposable
{
    /// <summary>Number of the first KV head of a layer.</summary>
    int First { get; }

    /// <summary>How many KV heads of layers.</summary>
    int Count { get; }

    /// <summary>Writes pages. Repeating it changes nothing.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="places">KV head of the model and block of each page, one after the other.</param>
    /// <param name="pages">Keys, then values of each page.</param>
    Task PutAsync(int layer, int[] places, byte[] pages);

    /// <summary>Attention over the pages of a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="position">Position of the first query.</param>
    /// <param name="tokens">T, number of queries.</param>
    /// <param name="query">Queries [T, H, D] of the query heads of the KV heads of this layer.</param>
    /// <returns>Outputs [T, H, D], then log-sum-exps [H, T] as float32.</returns>
    Task<byte[]> AttendAsync(int layer, int position, int tokens, byte[] query);
}

namespace S2ILGPU.Cluster.Wire;

/// <summary>The placement map of the cluster and the plan that follows from it (Infinite-LLM's gManager). One grain,
/// key 0; when its instance is lost it begins empty on another, and the heartbeats fill it again.</summary>
[Alias("s2.plan")]
internal interface IPagePlan : IGrainWithIntegerKey
{
    /// <summary>Takes a heartbeat.</summary>
    /// <param name="instance">Who sends it.</param>
    /// <param name="beat">What changed.</param>
    /// <returns>What the instance may borrow where.</returns>
    [Alias("beat")]
    Task<PlanAnswer> BeatAsync(string instance, PoolBeat beat);
}

/// <summary>A heartbeat: changed entries only.</summary>
/// <param name="Number">Counts the heartbeats of an instance.</param>
/// <param name="IsWhole">Whether <paramref name="Begun"/> are all loans that the instance has.</param>
/// <param name="Load">What the instance holds.</param>
/// <param name="Begun">Loans that began since the last heartbeat.</param>
/// <param name="Ended">Loans that ended since.</param>
/// <param name="Wish">What it wants to borrow; null for nothing.</param>
internal sealed record PoolBeat(long Number, bool IsWhole, PoolLoad Load, LoanEntry[] Begun, Guid[] Ended,
    LoanWish? Wish);

/// <summary>What decides whether an instance should lend.</summary>
/// <param name="Running">Sequences that it runs.</param>
/// <param name="UsedBytes">Bytes of its pages in use, those that are lent too.</param>
/// <param name="FreeBytes">Bytes that it would lend now.</param>
/// <param name="MostBytes">Bytes that it lends at most.</param>
internal sealed record PoolLoad(int Running, long UsedBytes, long FreeBytes, long MostBytes);

/// <summary>A loan in the placement map.</summary>
/// <param name="Id">The loan.</param>
/// <param name="Creditor">Who lends.</param>
/// <param name="FirstHead">The first KV head.</param>
/// <param name="Heads">Number of KV heads.</param>
/// <param name="Bytes">Bytes that the pages may take.</param>
internal sealed record LoanEntry(Guid Id, string Creditor, int FirstHead, int Heads, long Bytes);

/// <summary>What an instance wants to borrow for one request.</summary>
/// <param name="FirstHead">The first KV head.</param>
/// <param name="HeadBytes">Bytes of it and of each later head.</param>
internal sealed record LoanWish(int FirstHead, long[] HeadBytes)
{
    /// <summary>Whether two wishes are the same.</summary>
    public bool Is(LoanWish? other) =>
        other is not null && FirstHead == other.FirstHead && HeadBytes.AsSpan().SequenceEqual(other.HeadBytes);
}

/// <summary>A part of a plan: heads that go to a creditor.</summary>
/// <param name="Creditor">Who is to lend.</param>
/// <param name="FirstHead">The first KV head.</param>
/// <param name="Heads">Number of KV heads.</param>
/// <param name="Bytes">Bytes of them.</param>
internal sealed record PlannedLoan(string Creditor, int FirstHead, int Heads, long Bytes);

/// <summary>The answer to a heartbeat.</summary>
/// <param name="IsKnown">False where the map does not have what came before: the next heartbeat must be whole.</param>
/// <param name="MostBytes">Bytes that the others lend at most.</param>
/// <param name="Loans">The plan for the wish; empty where there is not enough room, or no wish.</param>
internal sealed record PlanAnswer(bool IsKnown, long MostBytes, PlannedLoan[] Loans);

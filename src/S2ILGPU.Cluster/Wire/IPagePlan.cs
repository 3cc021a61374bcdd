using S2ILGPU.Lending;

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
/// <param name="First">Number of the first KV head of a layer (<see cref="IPageCredit"/>).</param>
/// <param name="Count">How many KV heads of layers.</param>
/// <param name="Bytes">Bytes that the pages may take.</param>
internal sealed record LoanEntry(Guid Id, string Creditor, int First, int Count, long Bytes);

/// <summary>What an instance wants to borrow for one request.</summary>
/// <param name="First">Number of the first KV head of a layer (<see cref="IPageCredit"/>).</param>
/// <param name="Bytes">Bytes of it and of each later one.</param>
internal sealed record LoanWish(int First, long[] Bytes)
{
    /// <summary>Whether two wishes are the same.</summary>
    public bool Is(LoanWish? other) =>
        other is not null && First == other.First && Bytes.AsSpan().SequenceEqual(other.Bytes);
}

/// <summary>A part of a plan: heads that go to a creditor.</summary>
/// <param name="Creditor">Who is to lend.</param>
/// <param name="First">Number of the first KV head of a layer (<see cref="IPageCredit"/>).</param>
/// <param name="Count">How many KV heads of layers.</param>
/// <param name="Bytes">Bytes of them.</param>
internal sealed record PlannedLoan(string Creditor, int First, int Count, long Bytes);

/// <summary>The answer to a heartbeat.</summary>
/// <param name="IsKnown">False where the map does not have what came before: the next heartbeat must be whole.</param>
/// <param name="Others">What the others lend at most.</param>
/// <param name="Loans">The plan for the wish; empty where there is not enough room, or no wish.</param>
internal sealed record PlanAnswer(bool IsKnown, PoolSize[] Others, PlannedLoan[] Loans);

/// <summary>What an instance lends at most.</summary>
/// <param name="Name">The instance.</param>
/// <param name="Bytes">Bytes of pages, if nothing ran there.</param>
internal sealed record PoolSize(string Name, long Bytes);

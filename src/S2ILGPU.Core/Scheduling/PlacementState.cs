namespace S2ILGPU.Scheduling;

/// <summary>What decides whether a request is placed on an instance.</summary>
/// <param name="IsReady">Whether it takes requests.</param>
/// <param name="Sequences">The most sequences that it runs side by side.</param>
/// <param name="Counters">What its scheduler holds.</param>
/// <param name="Placed">Sequences that were placed on it and have not ended; its counters may lack them.</param>
/// <param name="KeptPrefixTokens">Tokens of the prompt that it need not compute.</param>
/// <param name="IsSelf">Whether it is the instance that places the request.</param>
internal readonly record struct PlacementState(bool IsReady, int Sequences, SchedulerCounters Counters, int Placed,
    int KeptPrefixTokens, bool IsSelf)
{
    private int Load => Math.Max(Counters.Running + Counters.Queued, Placed);

    private bool IsFull => Load >= Sequences || Counters.Queued > 0;

    /// <summary>Candidates for a request, the best first: one that takes requests; with a free sequence; that keeps
    /// most of the prompt; with the fewest sequences; with the fewest bytes of pages; the instance that asks; the
    /// earlier one.</summary>
    /// <param name="candidates">The candidates.</param>
    /// <param name="state">The state of each, asked once.</param>
    public static IEnumerable<T> Order<T>(IEnumerable<T> candidates, Func<T, PlacementState> state) => candidates
        .Select(candidate => (It: candidate, State: state(candidate)))
        .OrderByDescending(candidate => candidate.State.IsReady)
        .ThenBy(candidate => candidate.State.IsFull)
        .ThenByDescending(candidate => candidate.State.KeptPrefixTokens)
        .ThenBy(candidate => candidate.State.Load)
        .ThenBy(candidate => candidate.State.Counters.UsedBytes)
        .ThenByDescending(candidate => candidate.State.IsSelf)
        .Select(candidate => candidate.It);
}

using Orleans.Runtime;
using S2ILGPU.Cluster.Membership;
using S2ILGPU.Cluster.Wire;
using S2ILGPU.Serving.Routing;

namespace S2ILGPU.Cluster.Routing;

/// <summary>An instance that a request may be placed on.</summary>
/// <param name="Address">The instance.</param>
/// <param name="Report">What it says of itself.</param>
/// <param name="IsSelf">Whether it is this instance.</param>
internal sealed record Candidate(SiloAddress Address, InstanceReport Report, bool IsSelf)
{
    /// <summary>As routes and metrics show it.</summary>
    public InstanceStatus Status =>
        new(InstanceServices.NameOf(Address), Report.IsReady, Report.Sequences, Report.Counters);

    /// <summary>The best candidate: one that takes requests; with a free sequence; that keeps most of the prompt; with
    /// the fewest sequences; with the fewest bytes of pages; this instance.</summary>
    /// <param name="candidates">At least one.</param>
    /// <param name="placed">Sequences that this instance has placed on another and that have not ended: they may not be
    /// in its report yet.</param>
    public static Candidate Best(IEnumerable<Candidate> candidates, Func<SiloAddress, int> placed) => candidates
        .Select(candidate => (It: candidate, candidate.Report, candidate.Report.Counters,
            Load: Math.Max(candidate.Report.Counters.Running + candidate.Report.Counters.Queued,
                placed(candidate.Address))))
        .OrderByDescending(candidate => candidate.Report.IsReady)
        .ThenBy(candidate => candidate.Load >= candidate.Report.Sequences || candidate.Counters.Queued > 0)
        .ThenByDescending(candidate => candidate.Report.KeptPrefixTokens)
        .ThenBy(candidate => candidate.Load)
        .ThenBy(candidate => candidate.Counters.UsedBytes)
        .ThenByDescending(candidate => candidate.It.IsSelf)
        .First().It;
}

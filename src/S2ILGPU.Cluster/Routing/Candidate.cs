using Orleans.Runtime;
using S2ILGPU.Cluster.Membership;
using S2ILGPU.Cluster.Wire;
using S2ILGPU.Scheduling;
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

    /// <summary>What placement asks of it.</summary>
    /// <param name="placed">Sequences that this instance has placed on it and that have not ended.</param>
    public PlacementState State(int placed) =>
        new(Report.IsReady, Report.Sequences, Report.Counters, placed, Report.KeptPrefixTokens, IsSelf);
}

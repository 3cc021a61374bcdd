using S2ILGPU.Scheduling;

namespace S2ILGPU.Serving.Routing;

/// <summary>How loaded an instance of a cluster is.</summary>
/// <param name="Name">Where the other instances reach it, as in <c>10.0.0.5:11111</c>.</param>
/// <param name="IsReady">Whether it takes requests.</param>
/// <param name="Sequences">The most sequences that it runs side by side.</param>
/// <param name="Counters">What its scheduler holds.</param>
internal sealed record InstanceStatus(string Name, bool IsReady, int Sequences, SchedulerCounters Counters);

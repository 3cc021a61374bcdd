using S2ILGPU.Scheduling;

namespace S2ILGPU.Cluster.Wire;

/// <summary>What an instance says of itself.</summary>
/// <param name="Fingerprint">What it serves.</param>
/// <param name="IsReady">Whether it takes requests.</param>
/// <param name="Sequences">The most sequences that it runs side by side.</param>
/// <param name="Counters">What its scheduler holds.</param>
/// <param name="KeptPrefixTokens">Tokens of the prompt that it need not compute.</param>
internal sealed record InstanceReport(string Fingerprint, bool IsReady, int Sequences, SchedulerCounters Counters,
    int KeptPrefixTokens);

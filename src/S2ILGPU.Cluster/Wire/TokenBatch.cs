using S2ILGPU.Scheduling;

namespace S2ILGPU.Cluster.Wire;

/// <summary>Tokens of a run from the position that was asked for.</summary>
/// <param name="Tokens">The tokens.</param>
/// <param name="IsEnd">Whether none follow.</param>
/// <param name="Failure">Why the run failed; null while it did not.</param>
/// <param name="QueueTime">How long the run waited before it began; null while it waits.</param>
internal sealed record TokenBatch(GeneratedToken[] Tokens, bool IsEnd, string? Failure, TimeSpan? QueueTime);

using S2ILGPU.Inference;

namespace S2ILGPU.Scheduling;

/// <summary>What a scheduler holds between two steps. A copy: it does not change with the scheduler.</summary>
/// <param name="Counters">The counters.</param>
/// <param name="Sequences">The running sequences that have tokens in the cache, those that go first first.</param>
/// <param name="SequencePages">Pages of these sequences; one that several share counts once. The other pages in use are
/// those that prefixes alone hold.</param>
public sealed record SchedulerSnapshot(SchedulerCounters Counters, IReadOnlyList<RunningSequence> Sequences,
    long SequencePages);

/// <summary>A sequence that runs.</summary>
/// <param name="Request">Number of the request, from 0 in the order of submission.</param>
/// <param name="Choice">The choice, from 0.</param>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="Tokens">Tokens that are in the cache.</param>
/// <param name="Pages">What became of every block.</param>
public sealed record RunningSequence(long Request, int Choice, int PromptTokens, int Tokens, PageMap Pages);

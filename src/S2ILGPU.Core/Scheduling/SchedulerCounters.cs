namespace S2ILGPU.Scheduling;

/// <summary>What a scheduler did so far and what it holds after its last step.</summary>
public readonly record struct SchedulerCounters
{
    /// <summary>Requests, or choices that gave way, that wait.</summary>
    public int Queued { get; init; }

    /// <summary>Sequences that run.</summary>
    public int Running { get; init; }

    /// <summary>Steps that ran.</summary>
    public long Steps { get; init; }

    /// <summary>Tokens that went in: of prompts, without those that a shared prefix saved, and of texts, again where a
    /// sequence gave way, and those of proposals.</summary>
    public long ComputedTokens { get; init; }

    /// <summary>Tokens that came out.</summary>
    public long GeneratedTokens { get; init; }

    /// <summary>Proposals that were computed.</summary>
    public long Proposals { get; init; }

    /// <summary>Tokens of these, computed before they were drawn.</summary>
    public long ProposedTokens { get; init; }

    /// <summary>Tokens of these that were drawn then; each saved its sequence a step.</summary>
    public long AcceptedTokens { get; init; }

    /// <summary>Choices that ended, for whatever reason.</summary>
    public long FinishedChoices { get; init; }

    /// <summary>Times that a running sequence gave way.</summary>
    public long Preemptions { get; init; }

    /// <summary>Times that a request began behind a shared prefix.</summary>
    public long PrefixHits { get; init; }

    /// <summary>Tokens of those prefixes.</summary>
    public long PrefixTokens { get; init; }

    /// <summary>Prefixes that are kept.</summary>
    public int Prefixes { get; init; }

    /// <summary>Pages in use, those of prefixes too.</summary>
    public long UsedPages { get; init; }

    /// <summary>Pages that wait to be used again.</summary>
    public long FreePages { get; init; }

    /// <summary>Bytes of the pages in use.</summary>
    public long UsedBytes { get; init; }

    /// <summary>Bytes of free pages that wait to be used again.</summary>
    public long FreeBytes { get; init; }

    /// <summary>The most bytes that pages may take, those of attention workers together.</summary>
    public long MaxBytes { get; init; }

    /// <summary>Bytes that dense attention would keep for the running sequences, without sharing.</summary>
    public long DenseBytes { get; init; }
}

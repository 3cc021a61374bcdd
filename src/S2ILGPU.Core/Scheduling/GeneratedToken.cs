using S2ILGPU.Inference;
using S2ILGPU.Models;

namespace S2ILGPU.Scheduling;

/// <summary>Why a choice ended.</summary>
public enum FinishReason
{
    /// <summary>An end token or a stop string came, or the text is whole and its grammar lets nothing
    /// follow.</summary>
    Stop,

    /// <summary>The most tokens were generated, or the context is full.</summary>
    Length,

    /// <summary>The request was cancelled.</summary>
    Cancelled,

    /// <summary>The request took longer than its timeout.</summary>
    TimedOut,

    /// <summary>It cannot go on, and others do: <see cref="GeneratedToken.Failure"/> says why.</summary>
    Failed,
}

/// <summary>A token of a choice, the end of a choice, or both at once.</summary>
/// <param name="Choice">The choice, from 0.</param>
/// <param name="Token">The token id; null where a choice ended without one more.</param>
/// <param name="Text">Text that is complete now; empty without a tokenizer.</param>
/// <param name="LogProbability">Of the token, where the request asks for it.</param>
/// <param name="Top">The most likely tokens, as many as the request asks for.</param>
/// <param name="Finish">Why the choice ended; null while it goes on.</param>
public sealed record GeneratedToken(int Choice, int? Token, string Text, float? LogProbability,
    IReadOnlyList<TokenLogProbability> Top, FinishReason? Finish)
{
    /// <summary>What sampled attention kept of the prompt, with the end of a choice; null where no pass over it was
    /// sampled. What came from a kept prefix was computed for another request and does not count.</summary>
    public SampleCertificate? Sample { get; init; }

    /// <summary>Why the choice cannot go on, with <see cref="FinishReason.Failed"/>; else null.</summary>
    public string? Failure { get; init; }
}

using S2ILGPU.AttentionWorkers;
using S2ILGPU.Inference;
using S2ILGPU.Ops;
using S2ILGPU.Tensors;

namespace S2ILGPU.Scheduling;

/// <summary>Limits of a scheduler. An immutable value; defaults here.</summary>
public sealed record SchedulerOptions
{
    /// <summary>The most sequences that run side by side.</summary>
    public int Sequences { get; init; } = 64;

    /// <summary>The most tokens of a step: one of each sequence that generates, and chunks of prompts.</summary>
    public int StepTokens { get; init; } = 512;

    /// <summary>Tokens of a chunk; prompts are cut at its multiples, whatever else runs, so that the bits of a sequence
    /// do not depend on its neighbours. Prefixes are shared at the same places.</summary>
    public int ChunkTokens { get; init; } = 256;

    /// <summary>The most tokens of a sequence; null for the model's context.</summary>
    /// <remarks>It chooses the rotary angles where they depend on the length, as <see cref="LongRopeScaling"/> and <see
    /// cref="DynamicScaling"/> say.</remarks>
    public int? MaxTokens { get; init; }

    /// <summary>The most bytes of keys and values; with <see cref="AttentionWorkers"/>, of each of them.</summary>
    public long MaxBytes { get; init; } = long.MaxValue;

    /// <summary>Element type of keys and values; null for that of the activations.</summary>
    public ElementType? ElementType { get; init; }

    /// <summary>How many times <see cref="MaxBytes"/> the running requests may need at their longest, at least 1. Above
    /// 1 more of them run, because most end early; when the pages run out, the last to have its turn among the lowest
    /// priority gives way and is computed again later.</summary>
    public double Overcommit { get; init; } = 1;

    /// <summary>The most requests that wait.</summary>
    public int MaxQueued { get; init; } = 256;

    /// <summary>The most prefixes that are kept for later requests; 0 keeps none.</summary>
    public int Prefixes { get; init; } = 64;

    /// <summary>The most tokens that are proposed for a sequence and computed in one step with its next one (prompt
    /// lookup: what followed the last tokens where they came before); 0 for none. How many it is follows the share of
    /// guesses that was right in the text. Its tokens stay the same: every one is drawn from its own logits, and the
    /// rest of a proposal is dropped from the first that differs.</summary>
    public int Speculate { get; init; }

    /// <summary>Processes that hold the pages and run attention; null for this one. <see cref="MaxBytes"/> counts the
    /// pages of each: the smallest memory among them, and the heads that keep most, decide what runs.</summary>
    public AttentionWorkerOptions? AttentionWorkers { get; init; }

    internal KeyValueCacheOptions Cache => new()
    {
        Sequences = Sequences,
        MaxTokens = MaxTokens,
        MaxBytes = MaxBytes,
        ElementType = ElementType,
        ChunkTokens = ChunkTokens,
    };

    internal SchedulerOptions Validate()
    {
        if (ChunkTokens < 1 || ChunkTokens > StepTokens - Sequences)
            throw new ArgumentException($"{nameof(ChunkTokens)} must be 1 to {nameof(StepTokens)} - "
                + $"{nameof(Sequences)} = {StepTokens - Sequences}, got {ChunkTokens}");
        if (!(Overcommit >= 1))
            throw new ArgumentException($"{nameof(Overcommit)} must be at least 1, got {Overcommit}");
        if (MaxQueued < 1)
            throw new ArgumentException($"{nameof(MaxQueued)} must be at least 1, got {MaxQueued}");
        if (Prefixes < 0)
            throw new ArgumentException($"{nameof(Prefixes)} must not be negative, got {Prefixes}");
        if (Speculate < 0)
            throw new ArgumentException($"{nameof(Speculate)} must not be negative, got {Speculate}");
        return this;
    }
}

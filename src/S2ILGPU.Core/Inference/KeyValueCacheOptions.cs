using S2ILGPU.Ops;
using S2ILGPU.Tensors;

namespace S2ILGPU.Inference;

/// <summary>How large a key/value cache may be. An immutable value; defaults here.</summary>
public sealed record KeyValueCacheOptions
{
    private const int MaxSequences = 1 << 20;

    /// <summary>S, sequences that are decoded side by side.</summary>
    public int Sequences { get; init; } = 1;

    /// <summary>The most tokens of a sequence; null for the model's context.</summary>
    /// <remarks>It chooses the rotary angles where they depend on the length, as <see cref="LongRopeScaling"/> and <see
    /// cref="DynamicScaling"/> say.</remarks>
    public int? MaxTokens { get; init; }

    /// <summary>The most bytes that keys and values in use may take, over all layers and sequences.</summary>
    public long MaxBytes { get; init; } = long.MaxValue;

    /// <summary>Element type of the cached keys and values, where the engine's attention reads it; null for the type of
    /// its activations. BFloat16 halves the memory and, where decoding is bound by reading it, the time. Int8 keeps a
    /// scale for each row, takes D + 4 bytes where Float32 takes 4 D, and rounds: see "Int8 pages" in
    /// ARCHITECTURE.md.</summary>
    public ElementType? ElementType { get; init; }

    /// <summary>A longer prompt is read in chunks of this many tokens, which bounds the memory of its
    /// activations.</summary>
    public int ChunkTokens { get; init; } = 4096;

    internal KeyValueCacheOptions Validate(int contextTokens)
    {
        if (Sequences is < 1 or > MaxSequences)
            throw new ArgumentException($"{nameof(Sequences)} must be 1 to {MaxSequences}, got {Sequences}");
        if (MaxTokens is { } tokens && (tokens < 1 || tokens > contextTokens))
            throw new ArgumentException(
                $"{nameof(MaxTokens)} must be 1 to the model's context of {contextTokens}, got {tokens}");
        if (MaxBytes < 0)
            throw new ArgumentException($"{nameof(MaxBytes)} must not be negative, got {MaxBytes}");
        if (ChunkTokens < 1)
            throw new ArgumentException($"{nameof(ChunkTokens)} must be at least 1, got {ChunkTokens}");
        if (ElementType == Tensors.ElementType.Int32)
            throw new ArgumentException($"{nameof(ElementType)} must be a float type or Int8, got {ElementType}");
        return this;
    }
}

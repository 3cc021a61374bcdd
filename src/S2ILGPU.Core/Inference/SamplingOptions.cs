namespace S2ILGPU.Inference;

/// <summary>How the next token is chosen from the logits. An immutable value; defaults here and nowhere else.</summary>
public sealed record SamplingOptions
{
    /// <summary>Divides the logits; 0 always takes the most likely token.</summary>
    public float Temperature { get; init; } = 0.8f;

    /// <summary>Only the k most likely tokens are drawn from; 0 for all.</summary>
    public int TopK { get; init; } = 50;

    /// <summary>Only the most likely tokens that together reach this probability are drawn from; 1 for all.</summary>
    public float TopP { get; init; } = 0.95f;

    /// <summary>Seed of the draws: the same seed, prompt and model give the same text.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Checks every value.</summary>
    /// <returns>The options themselves.</returns>
    /// <exception cref="ArgumentException">A value is out of its range; the message has it.</exception>
    public SamplingOptions Validate()
    {
        if (!(Temperature >= 0 && Temperature <= 100))
            throw new ArgumentException($"temperature must be 0 to 100, got {Temperature}");
        if (TopK < 0)
            throw new ArgumentException($"top-k must be at least 0, got {TopK}");
        if (!(TopP > 0 && TopP <= 1))
            throw new ArgumentException($"top-p must be above 0 and at most 1, got {TopP}");
        return this;
    }
}

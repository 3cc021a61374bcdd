using S2ILGPU.Models;

namespace S2ILGPU.Inference;

/// <summary>How the next token is chosen from the logits, by the names of OpenAI's API. An immutable value; defaults
/// here and nowhere else.</summary>
/// <remarks>Applied in this order: logit bias; repetition, frequency and presence penalty; the tokens that a grammar
/// allows; temperature; min-p; top-k; top-p.</remarks>
public sealed record SamplingOptions
{
    /// <summary>Divides the logits; 0 always takes the most likely token.</summary>
    public float Temperature { get; init; } = 0.8f;

    /// <summary>Only the k most likely tokens are drawn from; 0 for all.</summary>
    public int TopK { get; init; } = 50;

    /// <summary>Only the most likely tokens that together reach this probability are drawn from; 1 for all.</summary>
    public float TopP { get; init; } = 0.95f;

    /// <summary>Only tokens of at least this part of the largest probability are drawn from; 0 for all.</summary>
    public float MinP { get; init; }

    /// <summary>Divides the positive logits of tokens of the prompt and of the text so far, and multiplies the negative
    /// ones; 1 changes nothing.</summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>Subtracted from the logits of generated tokens, once.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Subtracted from the logits of generated tokens, as often as they were generated.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Added to the logits of some tokens; null for none.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>Seed of the draws: the same seed, prompt and model give the same text.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>These options, with what a model's authors say in the place of what they name.</summary>
    /// <param name="model">As <see cref="PretrainedModel.Generation"/>.</param>
    public SamplingOptions For(GenerationDefaults model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return this with
        {
            Temperature = model.Temperature ?? Temperature,
            TopK = model.TopK ?? TopK,
            TopP = model.TopP ?? TopP,
            MinP = model.MinP ?? MinP,
            RepetitionPenalty = model.RepetitionPenalty ?? RepetitionPenalty,
        };
    }

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
        if (!(MinP >= 0 && MinP <= 1))
            throw new ArgumentException($"min-p must be 0 to 1, got {MinP}");
        if (!(RepetitionPenalty > 0 && float.IsFinite(RepetitionPenalty)))
            throw new ArgumentException($"the repetition penalty must be above 0, got {RepetitionPenalty}");
        if (!(PresencePenalty >= -2 && PresencePenalty <= 2))
            throw new ArgumentException($"the presence penalty must be -2 to 2, got {PresencePenalty}");
        if (!(FrequencyPenalty >= -2 && FrequencyPenalty <= 2))
            throw new ArgumentException($"the frequency penalty must be -2 to 2, got {FrequencyPenalty}");
        foreach (var (token, bias) in LogitBias ?? new Dictionary<int, float>())
            if (token < 0 || !(bias >= -100 && bias <= 100))
                throw new ArgumentException($"the bias of a token must be -100 to 100, got {bias} for token {token}");
        return this;
    }

    /// <summary>Checks every value, for a vocabulary.</summary>
    internal SamplingOptions Validate(int vocabularySize)
    {
        foreach (var (token, bias) in Validate().LogitBias ?? new Dictionary<int, float>())
            if (token >= vocabularySize)
                throw new ArgumentException(
                    $"token {token} has a bias of {bias}, but there are only {vocabularySize} tokens");
        return this;
    }
}

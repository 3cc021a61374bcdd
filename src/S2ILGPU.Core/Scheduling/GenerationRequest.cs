using S2ILGPU.Grammars;
using S2ILGPU.Inference;

namespace S2ILGPU.Scheduling;

/// <summary>A prompt and how to continue it. An immutable value; defaults here.</summary>
public sealed record GenerationRequest
{
    /// <summary>Token ids, at least one.</summary>
    public required IReadOnlyList<int> Prompt { get; init; }

    /// <summary>The most tokens to generate for each choice; the context may end a text earlier.</summary>
    public int MaxTokens { get; init; } = 16;

    /// <summary>Tokens of the one text that another scheduler generated for this request before: the text goes on after
    /// them as it would have there, and they are not reported again. They count in <see cref="MaxTokens"/>.</summary>
    public IReadOnlyList<int> Generated { get; init; } = [];

    /// <summary>How to draw; choice c draws with the seed + c.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>n, how many texts continue the prompt, which is computed once where there is room for all of them
    /// at a time, else for each.</summary>
    public int Choices { get; init; } = 1;

    /// <summary>Strings that end a text before them; need a tokenizer.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Tokens that end a text and are not part of it.</summary>
    public IReadOnlyList<int> EndTokens { get; init; } = [];

    /// <summary>What a text must be; needs a tokenizer. Only <see cref="MaxTokens"/>, the context and <see
    /// cref="Stop"/> end a text before it is whole. Null for any text.</summary>
    public Grammar? Grammar { get; init; }

    /// <summary>How many of the most likely tokens to report with each token and its own log-probability, 0 to 20; null
    /// reports no log-probabilities.</summary>
    public int? TopLogProbabilities { get; init; }

    /// <summary>Requests of a higher priority run first, and take the place of running ones of a lower priority. Equals
    /// take turns, a text each.</summary>
    public int Priority { get; init; }

    /// <summary>Requests of one group, such as those of one client, take turns with others as one request does; null
    /// for a group of its own.</summary>
    public Guid? Group { get; init; }

    /// <summary>Time from <see cref="Scheduler.Submit"/> after which what is not finished ends; null for
    /// none.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Receives every token, and the end of every choice, on the thread of <see cref="Scheduler.Step"/>. It
    /// should return soon (write to a channel) and must not throw.</summary>
    public Action<GeneratedToken>? OnToken { get; init; }

    internal GenerationRequest Validate(int vocabularySize, int maxPromptTokens)
    {
        ArgumentNullException.ThrowIfNull(Prompt);
        ArgumentNullException.ThrowIfNull(Generated);
        ArgumentNullException.ThrowIfNull(Sampling);
        Sampling.Validate(vocabularySize);
        if (Prompt.Count < 1 || Prompt.Count > maxPromptTokens)
            throw new ArgumentException($"a prompt has 1 to {maxPromptTokens} tokens, got {Prompt.Count}");
        foreach (var (i, token) in Prompt.Concat(Generated).Index())
            if (token < 0 || token >= vocabularySize)
                throw new ArgumentException($"token {i} is {token}, outside 0 to {vocabularySize - 1}");
        if (MaxTokens < 1)
            throw new ArgumentException($"the most tokens to generate must be at least 1, got {MaxTokens}");
        if (Choices < 1)
            throw new ArgumentException($"the number of choices must be at least 1, got {Choices}");
        if (Generated.Count > 0 && Choices > 1)
            throw new ArgumentException($"generated tokens are those of one text, there are {Choices} choices");
        if (Generated.Count >= MaxTokens || Prompt.Count + Generated.Count > maxPromptTokens)
            throw new ArgumentException($"{Generated.Count} tokens are generated already, behind a prompt of "
                + $"{Prompt.Count}: {MaxTokens} are allowed, and {maxPromptTokens} with the prompt");
        if (TopLogProbabilities is < 0 or > 20)
            throw new ArgumentException(
                $"log-probabilities are reported for 0 to 20 tokens, got {TopLogProbabilities}");
        if (Timeout is { } timeout && timeout <= TimeSpan.Zero)
            throw new ArgumentException($"the timeout must be above 0, got {timeout}");
        return this;
    }
}

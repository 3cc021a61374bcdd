namespace S2ILGPU.Models;

/// <summary>How the authors of a model draw from it, as its <c>generation_config.json</c> says: what holds where a user
/// asks for nothing else. An immutable value.</summary>
public sealed record GenerationDefaults
{
    /// <summary>Of a model without such a file.</summary>
    public static GenerationDefaults None { get; } = new();

    /// <summary>Divides the logits, 0 to 100; 0, which <c>"do_sample": false</c> stands for, always takes the most
    /// likely token. Null where the file does not say it, as for the others.</summary>
    public float? Temperature { get; init; }

    /// <summary>Only the k most likely tokens are drawn from; 0 for all.</summary>
    public int? TopK { get; init; }

    /// <summary>Only the most likely tokens that together reach this probability are drawn from; 1 for all.</summary>
    public float? TopP { get; init; }

    /// <summary>Only tokens of at least this part of the largest probability are drawn from; 0 for all.</summary>
    public float? MinP { get; init; }

    /// <summary>Divides the positive logits of tokens of the prompt and of the text so far, and multiplies the negative
    /// ones; 1 changes nothing.</summary>
    public float? RepetitionPenalty { get; init; }

    /// <summary>Further fields with which other tools would draw otherwise, and which are not computed here, as in
    /// <c>no_repeat_ngram_size 3</c>.</summary>
    public IReadOnlyList<string> Unused { get; init; } = [];
}

namespace S2ILGPU.Tokenizers;

/// <summary>What a BPE tokenizer knows: the bytes of every token, the merges in the order of their ranks, the added
/// tokens, and how text becomes pieces.</summary>
/// <remarks>Built by the trainer or read from a file; whoever builds it has checked it.</remarks>
internal sealed record BytePairVocabulary
{
    /// <summary>The bytes that each token stands for, by id; of an added token, its text in UTF-8. Empty where an id
    /// has no token.</summary>
    public required IReadOnlyList<byte[]> Tokens { get; init; }

    /// <summary>What each token is in a piece, by id, in UTF-8, where that is not <see cref="Tokens"/>: with ▁ for a
    /// space, and the names of byte tokens; empty for special tokens and others that only stand in text. Null for a
    /// byte-level vocabulary.</summary>
    public IReadOnlyList<byte[]>? Pieces { get; init; }

    /// <summary>(left, right, merged) ids, in the order of the ranks.</summary>
    public required IReadOnlyList<(int Left, int Right, int Merged)> Merges { get; init; }

    /// <summary>Whether the rank of a merge is the id that it makes, so that several pairs have the same, and not its
    /// place in <see cref="Merges"/>.</summary>
    public bool RanksAreIds { get; init; }

    /// <summary>The tokens that are found in text as they stand.</summary>
    public required IReadOnlyList<AddedToken> AddedTokens { get; init; }

    /// <summary>Whether a piece that is a token becomes that token, whatever its merges would make.</summary>
    public bool IgnoresMerges { get; init; }

    /// <summary>Whether a character without a token becomes the tokens of its bytes, <c>&lt;0x00&gt;</c> to
    /// <c>&lt;0xFF&gt;</c>.</summary>
    public bool HasByteFallback { get; init; }

    /// <summary>The token of characters that have none; null to drop them.</summary>
    public int? UnknownToken { get; init; }

    /// <summary>Whether neighbouring characters without a token become one <see cref="UnknownToken"/>.</summary>
    public bool FusesUnknown { get; init; }

    /// <summary>How text becomes pieces, and tokens text.</summary>
    public TokenizerPipeline Pipeline { get; init; } = TokenizerPipeline.Gpt2;
}

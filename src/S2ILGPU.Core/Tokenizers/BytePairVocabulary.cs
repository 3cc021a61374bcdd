namespace S2ILGPU.Tokenizers;

/// <summary>What a byte-level BPE tokenizer knows: the bytes of every token, the merges in the order of their ranks,
/// the special tokens.</summary>
/// <remarks>Built by the trainer or read from a file; whoever builds it has checked it.</remarks>
internal sealed class BytePairVocabulary
{
    /// <summary>The bytes of each token by id; of a special token, its text in UTF-8.</summary>
    public required IReadOnlyList<byte[]> Tokens { get; init; }

    /// <summary>(left, right, merged) ids, in the order of the ranks.</summary>
    public required IReadOnlyList<(int Left, int Right, int Merged)> Merges { get; init; }

    /// <summary>Special tokens by text.</summary>
    public required IReadOnlyDictionary<string, int> SpecialTokens { get; init; }
}

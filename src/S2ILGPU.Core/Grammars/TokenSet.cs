namespace S2ILGPU.Grammars;

/// <summary>A set of token ids of a vocabulary: those that may come next.</summary>
/// <param name="vocabularySize">V, number of token ids.</param>
public sealed class TokenSet(int vocabularySize)
{
    private readonly ulong[] _bits = new ulong[(vocabularySize + 63) / 64];

    /// <summary>V, number of token ids: 0 to this exclusive.</summary>
    public int VocabularySize => vocabularySize;

    /// <summary>Number of tokens in the set.</summary>
    public int Count => _bits.Sum(System.Numerics.BitOperations.PopCount);

    /// <summary>Whether a token is in the set.</summary>
    /// <param name="token">Token id, 0 to V exclusive.</param>
    public bool Contains(int token) => (_bits[token >> 6] >> token & 1) != 0;

    /// <summary>Puts a token into the set.</summary>
    /// <param name="token">Token id, 0 to V exclusive.</param>
    public void Add(int token) => _bits[token >> 6] |= 1UL << token;

    /// <summary>Takes a token out of the set.</summary>
    /// <param name="token">Token id, 0 to V exclusive.</param>
    public void Remove(int token) => _bits[token >> 6] &= ~(1UL << token);

    internal void CopyFrom(TokenSet other) => other._bits.CopyTo(_bits, 0);
}

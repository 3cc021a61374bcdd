using S2ILGPU.Grammars;

namespace S2ILGPU.Inference;

/// <summary>Which tokens may come next in one text, so that the whole text is in a grammar: those that the grammar
/// allows, and end tokens where it may end.</summary>
internal sealed class TokenConstraint
{
    private readonly TokenTrie _tokens;
    private readonly int[] _endTokens;
    private readonly GrammarMatcher _matcher;
    private readonly TokenSet _allowed;

    /// <summary>Creates the constraint of an empty text.</summary>
    /// <param name="grammar">The grammar.</param>
    /// <param name="tokens">The vocabulary.</param>
    /// <param name="endTokens">The tokens that end the text.</param>
    /// <exception cref="ArgumentException">A byte of UTF-8 has no token of its own, or that token ends the text: where
    /// the grammar needs this byte, no token could follow.</exception>
    /// <exception cref="AmbiguousGrammarException">The grammar allows too many ways to begin.</exception>
    public TokenConstraint(Grammar grammar, TokenTrie tokens, IEnumerable<int> endTokens)
    {
        (_tokens, _endTokens) = (tokens, [.. endTokens]);
        if (tokens.MissingByte(_endTokens) is { } missing)
            throw new ArgumentException($"a grammar needs a token for each byte of UTF-8: there is none for byte "
                + $"0x{missing:X2} that does not end the text");
        (_matcher, _allowed) = (new GrammarMatcher(grammar), new TokenSet(tokens.VocabularySize));
    }

    private TokenConstraint(TokenConstraint other) => (_tokens, _endTokens, _matcher, _allowed) =
        (other._tokens, other._endTokens, other._matcher.Copy(), other._allowed);

    /// <inheritdoc cref="GrammarMatcher.ComputedPairs"/>
    public long ComputedPairs => _matcher.ComputedPairs;

    /// <summary>Whether the text is whole and nothing can follow.</summary>
    public bool IsFinished => _matcher.IsFinished;

    /// <summary>The same for another text, from here on; they share what they computed, and one thread at a time uses
    /// them.</summary>
    public TokenConstraint Copy() => new(this);

    /// <summary>The tokens that may come next, at least one, until the next call for this text or a copy.</summary>
    /// <exception cref="AmbiguousGrammarException">The grammar allows too many ways at once here.</exception>
    public TokenSet Allowed()
    {
        _matcher.Allowed(_tokens, _allowed);
        foreach (int end in _endTokens)
            if (_matcher.IsComplete)
                _allowed.Add(end);
            else
                _allowed.Remove(end);
        return _allowed;
    }

    /// <summary>Takes one of these that does not end the text.</summary>
    public void Accept(int token)
    {
        if (!_matcher.Accept(_tokens.BytesOf(token)))
            throw new InvalidOperationException($"token {token} cannot follow in the grammar");
    }
}

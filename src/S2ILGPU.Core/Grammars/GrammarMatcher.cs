namespace S2ILGPU.Grammars;

/// <summary>Follows a text through a grammar, byte by byte or token by token.</summary>
/// <remarks>A state is the set of stacks that the text so far may have led to; a stack is what must follow, top first.
/// Every state leads to a whole text: where much is open already, only the shortest ways to one are. A matcher and its
/// copies share what they computed: one thread at a time uses them.</remarks>
public sealed class GrammarMatcher
{
    private readonly GrammarStates _states;
    private GrammarState _state;

    /// <summary>Creates a matcher before the first byte.</summary>
    /// <param name="grammar">The grammar.</param>
    /// <exception cref="InvalidOperationException">The grammar allows too many ways to begin.</exception>
    public GrammarMatcher(Grammar grammar)
    {
        ArgumentNullException.ThrowIfNull(grammar);
        _states = new GrammarStates(grammar);
        _state = _states.Start;
    }

    private GrammarMatcher(GrammarStates states, GrammarState state) => (_states, _state) = (states, state);

    /// <summary>Whether the text so far is a whole text of the grammar.</summary>
    public bool IsComplete => _state.IsComplete;

    /// <summary>Stacks that it and its copies followed by a byte, and those that came of them.</summary>
    internal long ComputedPairs => _states.ComputedPairs;

    /// <summary>Whether nothing can follow.</summary>
    public bool IsFinished => _state.IsFinished;

    /// <summary>Takes a byte, where it may follow.</summary>
    /// <returns>Whether it may; otherwise nothing changes.</returns>
    /// <exception cref="InvalidOperationException">The grammar allows too many ways at once here.</exception>
    public bool Accept(byte value) => Accept([value]);

    /// <summary>Takes the bytes of a token, where they may follow.</summary>
    /// <returns>Whether they may; otherwise nothing changes.</returns>
    public bool Accept(ReadOnlySpan<byte> bytes)
    {
        var state = _state;
        foreach (byte value in bytes)
        {
            if (state.Step(value) is not { } next)
                return false;
            state = next;
        }
        _state = _states.Renew(state);                                            // never between set and token
        return true;
    }

    /// <summary>Which tokens may follow.</summary>
    /// <param name="tokens">The vocabulary; the same one at every call.</param>
    /// <param name="allowed">Receives the set; tokens without bytes are not in it.</param>
    /// <exception cref="ArgumentException">The set is of another vocabulary.</exception>
    /// <exception cref="InvalidOperationException">The grammar allows too many ways at once here.</exception>
    public void Allowed(TokenTrie tokens, TokenSet allowed)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentNullException.ThrowIfNull(allowed);
        if (allowed.VocabularySize != tokens.VocabularySize)
            throw new ArgumentException(
                $"a set of {allowed.VocabularySize} tokens for a vocabulary of {tokens.VocabularySize}");
        _state = _states.Renew(_state);
        allowed.CopyFrom(_states.Allowed(_state, tokens));
    }

    /// <summary>A matcher that stands at the same place and goes its own way.</summary>
    public GrammarMatcher Copy() => new(_states, _state);
}

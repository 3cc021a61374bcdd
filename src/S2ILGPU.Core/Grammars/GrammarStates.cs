namespace S2ILGPU.Grammars;

/// <summary>Makes the states of a grammar. Equal states are one object, so that what a state allows is computed once:
/// after most characters of a string the state is the one before.</summary>
/// <remarks>Not thread-safe.</remarks>
internal sealed class GrammarStates
{
    // Where this much must still follow, only the rules' shortest ways are: a text that opens brackets without end
    // comes to an end, and its brackets are at most 64 deep, which readers of JSON take.
    private const int MaxDepth = 180;

    // More ways at once are not followed. Each leads to texts of the grammar, so that fewer of them do no harm.
    private const int MaxStacks = 1000;

    private const int MaxStates = 10_000, MaxSets = 64;

    private readonly Grammar _grammar;
    private readonly Dictionary<(GrammarElement, GrammarStack?), GrammarStack> _stacks = [];
    private readonly Dictionary<string, GrammarState> _states = [];
    private readonly Queue<GrammarState> _withSets = [];
    private int _ids;

    public GrammarStates(Grammar grammar)
    {
        _grammar = grammar;
        Start = Find(Open(Push(GrammarElement.Of(grammar.Root), null)));
    }

    /// <summary>A number for each byte; a state goes on alike with those of one number.</summary>
    public byte[] ByteClasses => _grammar.ByteClasses;

    /// <summary>The state before the first byte.</summary>
    public GrammarState Start { get; }

    /// <summary>The state after a byte; one with no way on where it cannot follow.</summary>
    public GrammarState After(GrammarStack[] stacks, byte value)
    {
        GrammarStack[] taking = [.. stacks.Where(stack => stack.Top.Bytes!.Contains(value))];
        return taking is [var only] ? only.After ??= Find(Open(only.Rest))
            : Find([.. taking.SelectMany(stack => Open(stack.Rest)).Distinct().Take(MaxStacks)]);
    }

    /// <summary>The tokens that may follow a state.</summary>
    public TokenSet Allowed(GrammarState state, TokenTrie tokens)
    {
        if (state.Allowed is { } known && known.VocabularySize == tokens.VocabularySize)
            return known;
        if (_withSets.Count == MaxSets)
            _withSets.Dequeue().Allowed = null;
        _withSets.Enqueue(state);
        return state.Allowed = Visit(state, tokens);
    }

    private static TokenSet Visit(GrammarState start, TokenTrie tokens)
    {
        var allowed = new TokenSet(tokens.VocabularySize);
        var path = new GrammarState[tokens.Depth + 1];
        path[0] = start;
        var nodes = tokens.Nodes;
        for (int n = 0; n < nodes.Length;)
        {
            ref readonly var node = ref nodes[n];
            if (path[node.Depth].Step(node.Value) is not { } next)
            {
                n = node.End;
                continue;
            }
            path[node.Depth + 1] = next;
            foreach (int id in tokens.Tokens(node))
                allowed.Add(id);
            n++;
        }
        return allowed;
    }

    private GrammarState Find(GrammarStack?[] stacks)
    {
        string key = string.Join(',', stacks.Select(stack => stack?.Id ?? 0).Order());
        if (_states.TryGetValue(key, out var known))
            return known;
        if (_states.Count == MaxStates)
        {
            _states.Clear();
            _stacks.Clear();
        }
        return _states[key] = new GrammarState(this, [.. stacks.OfType<GrammarStack>()], stacks.Contains(null));
    }

    private GrammarStack Push(GrammarElement top, GrammarStack? rest) =>
        _stacks.TryGetValue((top, rest), out var known) ? known
        : _stacks[(top, rest)] = new GrammarStack(top, rest, ++_ids);

    // Rules on top are replaced by their alternatives until a byte set is on top.
    private GrammarStack?[] Open(GrammarStack? stack)
    {
        if (stack is null)
            return [null];
        if (stack.Open is { } known)
            return known;
        var opened = new List<GrammarStack?>();
        var seen = new HashSet<GrammarStack> { stack };
        var waiting = new Stack<GrammarStack>([stack]);
        while (opened.Count < MaxStacks && waiting.TryPop(out var next))
        {
            if (next.Top.Bytes is not null)
            {
                opened.Add(next);
                continue;
            }
            foreach (var alternative in _grammar.Alternatives(next.Top.Rule, onlyShortest: next.Depth > MaxDepth))
            {
                var replaced = next.Rest;
                for (int i = alternative.Length - 1; i >= 0; i--)
                    replaced = Push(alternative[i], replaced);
                if (replaced is null)
                    opened.Add(null);
                else if (seen.Add(replaced))
                    waiting.Push(replaced);
            }
        }
        return stack.Open = [.. opened];
    }
}

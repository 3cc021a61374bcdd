namespace S2ILGPU.Grammars;

/// <summary>Makes the states of a grammar. Equal states are one object, so that what a state allows is computed once:
/// after most characters of a string the state is the one before.</summary>
/// <remarks>Not thread-safe.</remarks>
internal sealed class GrammarStates
{
    // Where this much must still follow, only the rules' shortest ways are: a text that opens brackets without end
    // comes to an end, and its brackets are at most 64 deep, which readers of JSON take.
    private const int MaxDepth = 180;

    // Stacks that a visit of the vocabulary may follow by a byte, and those that come of them, each transition of a
    // state once: tens of milliseconds. The number is the same whatever is known already, so that a text ends or goes
    // on alike whoever shares its states. A grammar that needs more is refused: to follow only some of its ways would
    // silently forbid texts that it allows.
    private const int MaxPairs = 100_000;

    private const int MaxStates = 10_000, MaxHeld = 1_000_000, MaxSets = 64;

    private readonly Grammar _grammar;
    private readonly Dictionary<(GrammarElement, GrammarStack?), GrammarStack> _stacks = [];
    private readonly Dictionary<string, GrammarState> _states = [];
    private readonly Queue<GrammarState> _withSets = [];
    private int _ids, _held;

    /// <exception cref="AmbiguousGrammarException">There are too many ways to begin.</exception>
    public GrammarStates(Grammar grammar)
    {
        _grammar = grammar;
        Start = Find(Open(Push(GrammarElement.Of(grammar.Root), null)));
    }

    /// <summary>A number for each byte; a state goes on alike with those of one number.</summary>
    public byte[] ByteClasses => _grammar.ByteClasses;

    /// <summary>The state before the first byte.</summary>
    public GrammarState Start { get; }

    /// <summary>How often all states were forgotten.</summary>
    public int Generation { get; private set; }

    /// <summary>Number of the visit of the vocabulary.</summary>
    public int Visit { get; private set; } = 1;

    /// <summary>Stacks that this visit followed by a byte, and those that come of them.</summary>
    public long Pairs { get; set; }

    /// <summary>The same of all transitions that were computed.</summary>
    public long ComputedPairs { get; private set; }

    /// <summary>The state to go on from: an equal one, where all were forgotten since it was made.</summary>
    public GrammarState Renew(GrammarState state)
    {
        if (_states.Count >= MaxStates || _held >= MaxHeld)
        {
            _states.Clear();
            _stacks.Clear();
            _withSets.Clear();
            _held = 0;
            Generation++;
        }
        if (state.Generation == Generation)
            return state;
        var renewed = new Dictionary<GrammarStack, GrammarStack>();
        GrammarStack?[] stacks = [.. state.Stacks.Select(stack => Renew(stack, renewed))];
        return Find(state.IsComplete ? [.. stacks, null] : stacks);
    }

    /// <summary>The state after a byte, one with no way on where it cannot follow; and the number of stacks that take
    /// the byte and that come of them.</summary>
    /// <exception cref="AmbiguousGrammarException">There are too many ways to follow.</exception>
    public (GrammarState State, int Pairs) After(GrammarStack[] stacks, byte value)
    {
        GrammarStack[] taking = [.. stacks.Where(stack => stack.Top.Bytes!.Contains(value))];
        int pairs = taking.Length;
        GrammarState next;
        if (taking is [var only])
        {
            next = only.After ??= Find(Open(only.Rest));
            pairs += next.Stacks.Length;
        }
        else
        {
            var (opened, seen) = (new List<GrammarStack?>(), new HashSet<GrammarStack?>());
            foreach (var stack in taking)
            {
                var ways = Open(stack.Rest);
                Check(pairs += ways.Length);
                opened.AddRange(ways.Where(seen.Add));
            }
            next = Find([.. opened]);
        }
        ComputedPairs += pairs;
        return (next, pairs);
    }

    /// <summary>The tokens that may follow a state.</summary>
    /// <exception cref="AmbiguousGrammarException">There are too many ways to follow.</exception>
    public TokenSet Allowed(GrammarState state, TokenTrie tokens)
    {
        if (state.Allowed is { } known && known.VocabularySize == tokens.VocabularySize)
            return known;
        var allowed = VisitAll(state, tokens);
        if (_withSets.Count == MaxSets)
            _withSets.Dequeue().Allowed = null;
        _withSets.Enqueue(state);
        return state.Allowed = allowed;
    }

    private TokenSet VisitAll(GrammarState start, TokenTrie tokens)
    {
        (Visit, Pairs) = (Visit + 1, 0);
        var allowed = new TokenSet(tokens.VocabularySize);
        var path = new GrammarState[tokens.Depth + 1];
        path[0] = start;
        var nodes = tokens.Nodes;
        for (int n = 0; n < nodes.Length;)
        {
            ref readonly var node = ref nodes[n];
            var next = path[node.Depth].Step(node.Value);
            Check(Pairs);
            if (next is null)
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

    private static void Check(long pairs)
    {
        if (pairs > MaxPairs)
            throw new AmbiguousGrammarException($"the schema allows too many ways at once: at least {pairs} to follow "
                + $"for the tokens that may come next, at most {MaxPairs}");
    }

    private GrammarState Find(GrammarStack?[] stacks)
    {
        string key = string.Join(',', stacks.Select(stack => stack?.Id ?? 0).Order());
        if (_states.TryGetValue(key, out var known))
            return known;
        _held += stacks.Length;
        return _states[key] = new GrammarState(this, [.. stacks.OfType<GrammarStack>()], stacks.Contains(null));
    }

    private GrammarStack Renew(GrammarStack stack, Dictionary<GrammarStack, GrammarStack> renewed)
    {
        var above = new Stack<GrammarStack>();
        GrammarStack? rest = stack, known = null;
        for (; rest is not null && !renewed.TryGetValue(rest, out known); rest = rest.Rest)
            above.Push(rest);
        foreach (var old in above)
            renewed[old] = known = Push(old.Top, known);
        return known!;
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
        while (waiting.TryPop(out var next))
        {
            Check(seen.Count);
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

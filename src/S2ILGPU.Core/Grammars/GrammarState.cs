namespace S2ILGPU.Grammars;

/// <summary>What may follow a text, in all ways that the grammar can have led to it.</summary>
/// <param name="states">Where states are made.</param>
/// <param name="stacks">The ways, each with a byte set on top.</param>
/// <param name="isComplete">Whether nothing need follow.</param>
internal sealed class GrammarState(GrammarStates states, GrammarStack[] stacks, bool isComplete)
{
    private readonly Transition[] _next = new Transition[states.ByteClasses.Max() + 1];

    /// <summary>The ways.</summary>
    public GrammarStack[] Stacks => stacks;

    /// <summary><see cref="GrammarStates.Generation"/> when it was made.</summary>
    public int Generation { get; } = states.Generation;

    /// <summary>Whether nothing need follow.</summary>
    public bool IsComplete => isComplete;

    /// <summary>Whether nothing can follow.</summary>
    public bool IsFinished => stacks.Length == 0;

    /// <summary>The tokens that may follow, once they were computed.</summary>
    public TokenSet? Allowed { get; set; }

    /// <summary>The state after a byte; null where it cannot follow.</summary>
    public GrammarState? Step(byte value)
    {
        ref var next = ref _next[states.ByteClasses[value]];
        if (next.State is null)
            (next.State, next.Pairs) = states.After(stacks, value);
        if (next.Visit != states.Visit)
        {
            next.Visit = states.Visit;
            states.Pairs += next.Pairs;
        }
        return next.State is { IsFinished: true, IsComplete: false } ? null : next.State;
    }

    // After a byte: what it cost, and the visit that counted this last.
    private record struct Transition(GrammarState? State, int Pairs, int Visit);
}

/// <summary>A list of what must follow. Equal lists of a <see cref="GrammarStates"/> are one object.</summary>
internal sealed class GrammarStack(GrammarElement top, GrammarStack? rest, int id)
{
    public GrammarElement Top => top;

    public GrammarStack? Rest => rest;

    public int Id => id;

    public int Depth { get; } = (rest?.Depth ?? 0) + 1;

    /// <summary>The lists with a byte set on top that it stands for, once they were computed; null for the empty
    /// one.</summary>
    public GrammarStack?[]? Open { get; set; }

    /// <summary>The state after a byte that only this one of several lists takes, once it was computed.</summary>
    public GrammarState? After { get; set; }
}

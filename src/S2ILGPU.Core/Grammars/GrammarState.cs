namespace S2ILGPU.Grammars;

/// <summary>What may follow a text, in all ways that the grammar can have led to it.</summary>
/// <param name="states">Where states are made.</param>
/// <param name="stacks">The ways, each with a byte set on top.</param>
/// <param name="isComplete">Whether nothing need follow.</param>
internal sealed class GrammarState(GrammarStates states, GrammarStack[] stacks, bool isComplete)
{
    private readonly GrammarState?[] _next = new GrammarState?[states.ByteClasses.Max() + 1];

    /// <summary>Whether nothing need follow.</summary>
    public bool IsComplete => isComplete;

    /// <summary>Whether nothing can follow.</summary>
    public bool IsFinished => stacks.Length == 0;

    /// <summary>The tokens that may follow, once they were computed.</summary>
    public TokenSet? Allowed { get; set; }

    /// <summary>The state after a byte; null where it cannot follow.</summary>
    public GrammarState? Step(byte value)
    {
        var next = _next[states.ByteClasses[value]] ??= states.After(stacks, value);
        return next is { IsFinished: true, IsComplete: false } ? null : next;
    }
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

namespace S2ILGPU.Templates;

/// <summary>Names and values that a part of a template sees; loops and macros open scopes of their own.</summary>
internal sealed class Scope(Scope? outer = null)
{
    private readonly Dictionary<string, object?> _values = new(StringComparer.Ordinal);

    /// <summary>Sets a name here.</summary>
    public object? this[string name]
    {
        set => _values[name] = value;
    }

    /// <summary>The value of a name, here or outside; undefined where there is none.</summary>
    public object? Find(string name)
    {
        for (var scope = this; scope is not null; scope = scope.Outer)
            if (scope._values.TryGetValue(name, out object? value))
                return value;
        return new Undefined(name);
    }

    private Scope? Outer => outer;
}

/// <summary>What a missing name or key is: nothing when printed, false, not usable otherwise.</summary>
/// <param name="Name">What was looked for.</param>
internal sealed record Undefined(string Name);

/// <summary>Something that can be called.</summary>
internal delegate object? Callable(CallArguments arguments);

/// <summary>The arguments of a call, filter or test.</summary>
/// <param name="Positions">Values by position.</param>
/// <param name="Names">Values by name.</param>
internal sealed record CallArguments(IReadOnlyList<object?> Positions, IReadOnlyDictionary<string, object?> Names)
{
    private static readonly Dictionary<string, object?> s_noNames = [];

    /// <summary>Arguments by position alone.</summary>
    public static CallArguments Of(params object?[] positions) => new(positions, s_noNames);

    /// <summary>An argument by position or name.</summary>
    public object? this[int position, string name, object? otherwise = null] => position < Positions.Count
        ? Positions[position] : Names.TryGetValue(name, out object? value) ? value : otherwise;

    /// <summary>Whether an argument is given.</summary>
    public bool Has(int position, string name) => position < Positions.Count || Names.ContainsKey(name);

    /// <summary>A string argument.</summary>
    public string Text(int position, string name, string? otherwise = null) => this[position, name, otherwise] as string
        ?? throw new TemplateException($"the argument '{name}' must be a string");

    /// <summary>An integer argument.</summary>
    public long Integer(int position, string name, long otherwise) => TemplateValues.Number(
        this[position, name, otherwise]) is long value ? value
        : throw new TemplateException($"the argument '{name}' must be an integer");

    /// <summary>Refuses more arguments than there are names for.</summary>
    public CallArguments Only(string what, params ReadOnlySpan<string> names)
    {
        if (Positions.Count > names.Length)
            throw new TemplateException($"{what} takes at most {names.Length} arguments, got {Positions.Count}");
        foreach (string name in Names.Keys)
            if (!names.Contains(name))
                throw new TemplateException($"{what} has no argument '{name}'");
        return this;
    }
}

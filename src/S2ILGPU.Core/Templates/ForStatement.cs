namespace S2ILGPU.Templates;

/// <summary><c>for target in items if condition</c>, with <c>else</c> for no items.</summary>
internal sealed record ForStatement(int Line, Target Target, Expression Items, Expression? Condition, Statement[] Body,
    Statement[] Otherwise) : Statement(Line)
{
    public override Flow Run(Rendering rendering, Scope scope)
    {
        var items = new List<object?>();
        foreach (object? item in TemplateValues.Items(Items.Evaluate(rendering, scope), "what a loop goes over"))
            if (Condition is null || IsTaken(rendering, scope, item))
                items.Add(item);
        if (items.Count == 0)
            return rendering.Run(Otherwise, scope);
        for (int i = 0; i < items.Count; i++)
        {
            var inner = new Scope(scope);
            inner["loop"] = new LoopState(items, i);
            Target.Assign(inner, items[i]);
            if (rendering.Run(Body, inner) == Flow.Break)
                break;
        }
        return Flow.Next;
    }

    private bool IsTaken(Rendering rendering, Scope scope, object? item)
    {
        var inner = new Scope(scope);
        Target.Assign(inner, item);
        return TemplateValues.IsTrue(Condition!.Evaluate(rendering, inner));
    }
}

/// <summary>The variable <c>loop</c>.</summary>
/// <param name="Items">What the loop goes over.</param>
/// <param name="Index">The present item, from 0.</param>
internal sealed record LoopState(IReadOnlyList<object?> Items, int Index)
{
    /// <summary>An attribute of the variable.</summary>
    public object? Attribute(string name) => name switch
    {
        "index" => Index + 1L,
        "index0" => (long)Index,
        "revindex" => (long)(Items.Count - Index),
        "revindex0" => Items.Count - Index - 1L,
        "first" => Index == 0,
        "last" => Index == Items.Count - 1,
        "length" => (long)Items.Count,
        "depth" => throw new TemplateException("'loop.depth' is not supported"),
        "previtem" => Index > 0 ? Items[Index - 1] : new Undefined("loop.previtem"),
        "nextitem" => Index + 1 < Items.Count ? Items[Index + 1] : new Undefined("loop.nextitem"),
        "cycle" => (Callable)(arguments => arguments.Positions.Count == 0
            ? throw new TemplateException("'loop.cycle' needs values")
            : arguments.Positions[Index % arguments.Positions.Count]),
        _ => new Undefined($"loop.{name}"),
    };
}

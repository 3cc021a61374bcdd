namespace S2ILGPU.Templates;

/// <summary>A statement of a template.</summary>
/// <param name="Line">Its line, from 1.</param>
internal abstract record Statement(int Line)
{
    /// <summary>Does it.</summary>
    public abstract Flow Run(Rendering rendering, Scope scope);
}

/// <summary>Text between tags.</summary>
internal sealed record TextStatement(int Line, string Text) : Statement(Line)
{
    public override Flow Run(Rendering rendering, Scope scope)
    {
        rendering.Write(Text);
        return Flow.Next;
    }
}

/// <summary><c>{{ value }}</c></summary>
internal sealed record OutputStatement(int Line, Expression Value) : Statement(Line)
{
    public override Flow Run(Rendering rendering, Scope scope)
    {
        rendering.Write(TemplateValues.Text(Value.Evaluate(rendering, scope)));
        return Flow.Next;
    }
}

/// <summary><c>if</c> with its <c>elif</c> and <c>else</c> branches; the last condition may be missing.</summary>
internal sealed record IfStatement(int Line, (Expression? Condition, Statement[] Body)[] Branches) : Statement(Line)
{
    public override Flow Run(Rendering rendering, Scope scope)
    {
        foreach (var (condition, body) in Branches)
            if (condition is null || TemplateValues.IsTrue(condition.Evaluate(rendering, scope)))
                return rendering.Run(body, scope);
        return Flow.Next;
    }
}

/// <summary><c>break</c> or <c>continue</c>.</summary>
internal sealed record FlowStatement(int Line, Flow Flow) : Statement(Line)
{
    public override Flow Run(Rendering rendering, Scope scope) => Flow;
}

/// <summary><c>set name = value</c>, several names, or an attribute of a namespace.</summary>
internal sealed record SetStatement(int Line, Target Target, Expression Value) : Statement(Line)
{
    public override Flow Run(Rendering rendering, Scope scope)
    {
        Target.Assign(scope, Value.Evaluate(rendering, scope));
        return Flow.Next;
    }
}

/// <summary><c>set name</c> to the text up to <c>endset</c>.</summary>
internal sealed record SetBlockStatement(int Line, Target Target, Statement[] Body,
    Func<Expression, Expression> Filters) : Statement(Line)
{
    public override Flow Run(Rendering rendering, Scope scope)
    {
        string text = rendering.TextOf(Body, new Scope(scope));
        Target.Assign(scope, Filters(new Literal(Line, text)).Evaluate(rendering, scope));
        return Flow.Next;
    }
}

/// <summary><c>generation</c>: a mark for training, which changes no text.</summary>
internal sealed record BlockStatement(int Line, Statement[] Body) : Statement(Line)
{
    public override Flow Run(Rendering rendering, Scope scope) => rendering.Run(Body, scope);
}

/// <summary><c>macro name(parameters)</c>.</summary>
internal sealed record MacroStatement(int Line, string Name, (string Name, Expression? Default)[] Parameters,
    Statement[] Body) : Statement(Line)
{
    public override Flow Run(Rendering rendering, Scope scope)
    {
        string[] names = [.. Parameters.Select(p => p.Name)];
        scope[Name] = (Callable)(arguments =>
        {
            arguments.Only($"the macro '{Name}'", names);
            var inner = new Scope(scope);
            for (int i = 0; i < Parameters.Length; i++)
                inner[names[i]] = arguments.Has(i, names[i]) ? arguments[i, names[i]]
                    : Parameters[i].Default is { } value ? value.Evaluate(rendering, inner) : new Undefined(names[i]);
            return rendering.TextOf(Body, inner);
        });
        return Flow.Next;
    }
}

/// <summary>What a value is assigned to: a name, an attribute of a namespace, or several of them.</summary>
/// <param name="Name">The name; null for several.</param>
/// <param name="Attribute">Attribute of the namespace of that name.</param>
/// <param name="Parts">The parts that the elements of the value go to.</param>
internal sealed record Target(string? Name, string? Attribute = null, Target[]? Parts = null)
{
    /// <summary>Assigns.</summary>
    public void Assign(Scope scope, object? value)
    {
        if (Parts is not null)
        {
            var items = TemplateValues.Items(value, "what is taken apart").ToArray();
            if (items.Length != Parts.Length)
                throw new TemplateException($"{items.Length} values for {Parts.Length} names");
            for (int i = 0; i < items.Length; i++)
                Parts[i].Assign(scope, items[i]);
        }
        else if (Attribute is null)
            scope[Name!] = value;
        else if (scope.Find(Name!) is Namespace space)
            space.Values[Attribute] = value;
        else
            throw new TemplateException($"'{Name}.{Attribute}' cannot be set: '{Name}' is not a namespace");
    }
}

/// <summary>What <c>namespace(...)</c> makes: values that an inner scope can set.</summary>
internal sealed record Namespace(Dictionary<string, object?> Values);

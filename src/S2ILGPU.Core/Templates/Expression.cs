namespace S2ILGPU.Templates;

/// <summary>An expression of a template.</summary>
/// <param name="Line">Its line, from 1.</param>
internal abstract record Expression(int Line)
{
    /// <summary>Its value.</summary>
    public abstract object? Evaluate(Rendering rendering, Scope scope);
}

/// <summary>A constant.</summary>
internal sealed record Literal(int Line, object? Value) : Expression(Line)
{
    public override object? Evaluate(Rendering rendering, Scope scope) => Value;
}

/// <summary>The value of a name.</summary>
internal sealed record NameExpression(int Line, string Name) : Expression(Line)
{
    public override object? Evaluate(Rendering rendering, Scope scope) => scope.Find(Name);
}

/// <summary><c>[a, b]</c> and <c>(a, b)</c>.</summary>
internal sealed record ListExpression(int Line, Expression[] Items) : Expression(Line)
{
    public override object? Evaluate(Rendering rendering, Scope scope) =>
        Items.Select(item => item.Evaluate(rendering, scope)).ToList();
}

/// <summary><c>{key: value}</c></summary>
internal sealed record DictionaryExpression(int Line, (Expression Key, Expression Value)[] Items) : Expression(Line)
{
    public override object? Evaluate(Rendering rendering, Scope scope) => TemplateValues.Dictionary(Items.Select(
        item => KeyValuePair.Create(item.Key.Evaluate(rendering, scope)
            ?? throw new TemplateException("none cannot be a key"), item.Value.Evaluate(rendering, scope))));
}

/// <summary><c>value if condition else otherwise</c></summary>
internal sealed record ConditionalExpression(int Line, Expression Condition, Expression Value, Expression? Otherwise)
    : Expression(Line)
{
    public override object? Evaluate(Rendering rendering, Scope scope) =>
        TemplateValues.IsTrue(Condition.Evaluate(rendering, scope)) ? Value.Evaluate(rendering, scope)
        : Otherwise is null ? new Undefined("else") : Otherwise.Evaluate(rendering, scope);
}

/// <summary><c>not</c>, <c>-</c>, <c>+</c>.</summary>
internal sealed record UnaryExpression(int Line, string Operator, Expression Operand) : Expression(Line)
{
    public override object? Evaluate(Rendering rendering, Scope scope)
    {
        object? value = Operand.Evaluate(rendering, scope);
        return Operator switch
        {
            "not" => !TemplateValues.IsTrue(value),
            "-" => TemplateArithmetic.Calculate("-", 0L, value),
            _ => TemplateArithmetic.Calculate("+", 0L, value),
        };
    }
}

/// <summary><c>and</c> and <c>or</c>, which give one of their operands.</summary>
internal sealed record LogicalExpression(int Line, bool IsAnd, Expression Left, Expression Right) : Expression(Line)
{
    public override object? Evaluate(Rendering rendering, Scope scope)
    {
        object? left = Left.Evaluate(rendering, scope);
        return TemplateValues.IsTrue(left) == IsAnd ? Right.Evaluate(rendering, scope) : left;
    }
}

/// <summary>Arithmetic and concatenation.</summary>
internal sealed record BinaryExpression(int Line, string Operator, Expression Left, Expression Right) : Expression(Line)
{
    public override object? Evaluate(Rendering rendering, Scope scope) => TemplateArithmetic.Calculate(Operator,
        Left.Evaluate(rendering, scope), Right.Evaluate(rendering, scope));
}

/// <summary><c>a &lt; b &lt;= c</c>: all of the comparisons hold.</summary>
internal sealed record ComparisonExpression(int Line, Expression First, (string Operator, Expression Operand)[] Rest)
    : Expression(Line)
{
    public override object? Evaluate(Rendering rendering, Scope scope)
    {
        object? left = First.Evaluate(rendering, scope);
        foreach (var (name, operand) in Rest)
        {
            object? right = operand.Evaluate(rendering, scope);
            if (!TemplateArithmetic.Compare(name, left, right))
                return false;
            left = right;
        }
        return true;
    }
}

/// <summary><c>value.name</c> and <c>value[key]</c>.</summary>
internal sealed record MemberExpression(int Line, Expression Value, Expression Key, bool IsAttribute) : Expression(Line)
{
    public override object? Evaluate(Rendering rendering, Scope scope) => TemplateMembers.Get(
        Value.Evaluate(rendering, scope), Key.Evaluate(rendering, scope), IsAttribute);
}

/// <summary><c>value[start:end:step]</c></summary>
internal sealed record SliceExpression(int Line, Expression Value, Expression? Start, Expression? End, Expression? Step)
    : Expression(Line)
{
    public override object? Evaluate(Rendering rendering, Scope scope) => TemplateMembers.Slice(
        Value.Evaluate(rendering, scope), Start?.Evaluate(rendering, scope), End?.Evaluate(rendering, scope),
        Step?.Evaluate(rendering, scope));
}

/// <summary>Arguments as they are written.</summary>
internal sealed record ArgumentList(Expression[] Positions, (string Name, Expression Value)[] Names)
{
    /// <summary>Their values.</summary>
    public CallArguments Evaluate(Rendering rendering, Scope scope, params ReadOnlySpan<object?> before) => new(
        [.. before, .. Positions.Select(p => p.Evaluate(rendering, scope))],
        Names.ToDictionary(n => n.Name, n => n.Value.Evaluate(rendering, scope)));
}

/// <summary><c>callee(arguments)</c></summary>
internal sealed record CallExpression(int Line, Expression Callee, ArgumentList Arguments) : Expression(Line)
{
    public override object? Evaluate(Rendering rendering, Scope scope) => Callee.Evaluate(rendering, scope) switch
    {
        Callable callable => callable(Arguments.Evaluate(rendering, scope)),
        Undefined missing => throw new TemplateException($"'{missing.Name}' is undefined and cannot be called"),
        var value => throw new TemplateException($"{TemplateValues.KindOf(value)} cannot be called"),
    };
}

/// <summary><c>value | filter(arguments)</c></summary>
internal sealed record FilterExpression(int Line, Expression Value, Func<object?, CallArguments, object?> Filter,
    ArgumentList Arguments) : Expression(Line)
{
    public override object? Evaluate(Rendering rendering, Scope scope) =>
        Filter(Value.Evaluate(rendering, scope), Arguments.Evaluate(rendering, scope));
}

/// <summary><c>value is test(arguments)</c></summary>
internal sealed record TestExpression(int Line, Expression Value, Func<object?, CallArguments, bool> Test,
    ArgumentList Arguments) : Expression(Line)
{
    public override object? Evaluate(Rendering rendering, Scope scope) =>
        Test(Value.Evaluate(rendering, scope), Arguments.Evaluate(rendering, scope));
}

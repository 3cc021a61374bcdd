using System.Globalization;

namespace S2ILGPU.Templates;

/// <summary>From tokens to expressions, weakest operators first.</summary>
/// <param name="reader">The tokens.</param>
/// <param name="depth">How deep blocks are nested around the expression.</param>
internal sealed class ExpressionParser(TokenReader reader, int depth)
{
    // Nested deeper, reading would exhaust the stack.
    private const int MaxDepth = 200;

    private int _depth = depth;

    private int Line => reader.Current.Line;

    /// <summary>An expression, or several with commas between them.</summary>
    public Expression ReadTuple() => Tuple(Read);

    /// <summary>The same, up to an <c>if</c> that is not part of it.</summary>
    public Expression ReadWithoutCondition() => Tuple(Or);

    /// <summary>An expression.</summary>
    public Expression Read()
    {
        Deepen(1);
        int line = Line;
        var value = Or();
        while (reader.Take("if"))
        {
            var condition = Or();
            value = new ConditionalExpression(line, condition, value, reader.Take("else") ? Read() : null);
        }
        Deepen(-1);
        return value;
    }

    /// <summary>Filters that follow, to be applied to a value.</summary>
    public Func<Expression, Expression> ReadFilters()
    {
        Func<Expression, Expression> filters = value => value;
        while (reader.Current.Is("|"))
        {
            var (before, filter) = (filters, Filter());
            filters = value => filter(before(value));
        }
        return filters;
    }

    private Expression Tuple(Func<Expression> read)
    {
        int line = Line;
        var first = read();
        if (!reader.Current.Is(","))
            return first;
        var items = new List<Expression> { first };
        while (reader.Take(",") && reader.Current.Kind is not (TokenKind.BlockEnd or TokenKind.OutputEnd)
            && !reader.Current.Is(")"))
            items.Add(read());
        return new ListExpression(line, [.. items]);
    }

    private Expression Or()
    {
        var left = And();
        while (reader.Current is var token && reader.Take("or"))
            left = new LogicalExpression(token.Line, false, left, And());
        return left;
    }

    private Expression And()
    {
        var left = Not();
        while (reader.Current is var token && reader.Take("and"))
            left = new LogicalExpression(token.Line, true, left, Not());
        return left;
    }

    private Expression Not()
    {
        int line = Line, negations = 0;
        while (reader.Take("not"))
            negations++;
        Deepen(negations);
        var value = Comparison();
        Deepen(-negations);
        for (; negations > 0; negations--)
            value = new UnaryExpression(line, "not", value);
        return value;
    }

    private void Deepen(int levels)
    {
        _depth += levels;
        if (_depth > MaxDepth)
            throw reader.Error($"expressions are nested more than {MaxDepth} deep");
    }

    private Expression Comparison()
    {
        int line = Line;
        var first = Sum();
        var rest = new List<(string, Expression)>();
        while (true)
        {
            string? name = null;
            if (reader.Current.Is("not") && reader.Peek.Is("in"))
            {
                reader.Next();
                name = "not in";
            }
            else if (reader.Current is { Text: "==" or "!=" or "<" or ">" or "<=" or ">=", Kind: TokenKind.Operator }
                || reader.Current.Is("in"))
                name = reader.Current.Text;
            if (name is null)
                return rest.Count == 0 ? first : new ComparisonExpression(line, first, [.. rest]);
            reader.Next();
            rest.Add((name, Sum()));
        }
    }

    private Expression Sum() => Chain(() => Chain(() => Chain(Power, "*", "/", "//", "%"), "~"), "+", "-");

    private Expression Chain(Func<Expression> operand, params string[] operators)
    {
        var left = operand();
        while (reader.Current is { Kind: TokenKind.Operator } token && operators.Contains(token.Text))
        {
            reader.Next();
            left = new BinaryExpression(token.Line, token.Text, left, operand());
        }
        return left;
    }

    private Expression Power()
    {
        var left = Unary(takesFilters: true);
        while (reader.Current is var token && reader.Take("**"))
            left = new BinaryExpression(token.Line, "**", left, Unary(takesFilters: true));
        return left;
    }

    private Expression Unary(bool takesFilters)
    {
        if (reader.Current is { Kind: TokenKind.Operator, Text: "-" or "+" } sign)
        {
            reader.Next();
            Deepen(1);
            Expression signed = new UnaryExpression(sign.Line, sign.Text, Unary(takesFilters: false));
            Deepen(-1);
            return takesFilters ? FiltersAndTests(signed) : signed;
        }
        var value = Members(Primary());
        return takesFilters ? FiltersAndTests(value) : value;
    }

    private Expression FiltersAndTests(Expression value)
    {
        while (true)
        {
            if (reader.Current.Is("|"))
                value = Filter()(value);
            else if (reader.Current.Is("is"))
                value = Test(value);
            else if (reader.Current.Is("("))
                value = new CallExpression(Line, value, Arguments());
            else
                return value;
        }
    }

    private Func<Expression, Expression> Filter()
    {
        reader.ExpectOperator("|");
        var name = reader.Expect(TokenKind.Name, "the name of a filter");
        var filter = TemplateFilters.Find(name.Text)
            ?? throw TemplateException.At(name.Line, $"the filter '{name.Text}' is not supported");
        var arguments = reader.Current.Is("(") ? Arguments() : new ArgumentList([], []);
        return value => new FilterExpression(name.Line, value, filter, arguments);
    }

    private Expression Test(Expression value)
    {
        reader.ExpectName("is");
        bool isNegated = reader.Take("not");
        var name = reader.Expect(TokenKind.Name, "the name of a test");
        var test = TemplateTests.Find(name.Text)
            ?? throw TemplateException.At(name.Line, $"the test '{name.Text}' is not supported");
        bool hasOperand = reader.Current.Kind is TokenKind.String or TokenKind.Number
            || reader.Current.Kind == TokenKind.Name && reader.Current.Text is not ("and" or "or" or "else" or "if"
                or "is" or "not" or "in") || reader.Current.Is("[") || reader.Current.Is("{");
        var arguments = reader.Current.Is("(") ? Arguments()
            : new ArgumentList(hasOperand ? [Members(Primary())] : [], []);
        Expression tested = new TestExpression(name.Line, value, test, arguments);
        return isNegated ? new UnaryExpression(name.Line, "not", tested) : tested;
    }

    private Expression Members(Expression value)
    {
        while (true)
        {
            int line = Line;
            if (reader.Take("."))
            {
                var key = reader.Current.Kind == TokenKind.Number ? Primary()
                    : new Literal(line, reader.Expect(TokenKind.Name, "the name of an attribute").Text);
                value = new MemberExpression(line, value, key, IsAttribute: true);
            }
            else if (reader.Take("["))
                value = Subscript(line, value);
            else if (reader.Current.Is("("))
                value = new CallExpression(line, value, Arguments());
            else
                return value;
        }
    }

    private Expression Subscript(int line, Expression value)
    {
        Expression? Part() => reader.Current.Is(":") || reader.Current.Is("]") ? null : Read();
        var first = Part();
        if (reader.Take("]"))
            return new MemberExpression(line, value, first ?? throw reader.Error("an index is missing"),
                IsAttribute: false);
        reader.ExpectOperator(":");
        var end = Part();
        var step = reader.Take(":") ? Part() : null;
        reader.ExpectOperator("]");
        return new SliceExpression(line, value, first, end, step);
    }

    private ArgumentList Arguments()
    {
        var positions = new List<Expression>();
        var names = new List<(string, Expression)>();
        reader.ExpectOperator("(");
        while (!reader.Take(")"))
        {
            if (positions.Count + names.Count > 0)
            {
                reader.ExpectOperator(",");
                if (reader.Take(")"))
                    break;
            }
            if (reader.Current.Kind == TokenKind.Name && reader.Peek.Is("="))
            {
                string name = reader.Next().Text;
                reader.Next();
                names.Add((name, Read()));
            }
            else if (names.Count > 0)
                throw reader.Error("an argument by position follows one by name");
            else
                positions.Add(Read());
        }
        return new ArgumentList([.. positions], [.. names]);
    }

    private Expression Primary()
    {
        var token = reader.Next();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return token.Text switch
                {
                    "true" or "True" => new Literal(token.Line, true),
                    "false" or "False" => new Literal(token.Line, false),
                    "none" or "None" => new Literal(token.Line, null),
                    _ => new NameExpression(token.Line, token.Text),
                };
            case TokenKind.String:
                string text = token.Text;
                while (reader.Current.Kind == TokenKind.String)
                    text += reader.Next().Text;
                return new Literal(token.Line, text);
            case TokenKind.Number:
                return new Literal(token.Line, Number(token));
            case TokenKind.Operator when token.Text == "(":
                if (reader.Take(")"))
                    return new ListExpression(token.Line, []);
                var value = ReadTuple();
                reader.ExpectOperator(")");
                return value;
            case TokenKind.Operator when token.Text == "[":
                return new ListExpression(token.Line, [.. Items("]", Read)]);
            case TokenKind.Operator when token.Text == "{":
                return new DictionaryExpression(token.Line, [.. Items("}", Entry)]);
            default:
                throw TemplateException.At(token.Line, $"expected an expression, got '{token.Text}'");
        }
    }

    private (Expression, Expression) Entry()
    {
        var key = Read();
        reader.ExpectOperator(":");
        return (key, Read());
    }

    private List<TItem> Items<TItem>(string end, Func<TItem> read)
    {
        var items = new List<TItem>();
        while (!reader.Take(end))
        {
            if (items.Count > 0)
            {
                reader.ExpectOperator(",");
                if (reader.Take(end))
                    break;
            }
            items.Add(read());
        }
        return items;
    }

    private static object Number(TemplateToken token)
    {
        string digits = token.Text.Replace("_", "");
        if (long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long integer))
            return integer;
        return digits.AsSpan().ContainsAny('.', 'e', 'E') ? double.Parse(digits, CultureInfo.InvariantCulture)
            : throw TemplateException.At(token.Line, $"the number {token.Text} is too large");
    }
}

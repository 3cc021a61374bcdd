namespace S2ILGPU.Templates;

/// <summary>From tokens to statements.</summary>
internal sealed class TemplateParser(IReadOnlyList<TemplateToken> tokens)
{
    // Nested deeper, reading would exhaust the stack.
    private const int MaxDepth = 100;

    private readonly TokenReader _reader = new(tokens);
    private int _depth, _loops;

    /// <summary>All statements.</summary>
    public Statement[] Parse() => Body([]);

    // Up to a block whose name is one of the ends, which is left to the caller; up to the end where there are none.
    private Statement[] Body(params ReadOnlySpan<string> ends)
    {
        if (++_depth > MaxDepth)
            throw _reader.Error($"blocks are nested more than {MaxDepth} deep");
        var body = new List<Statement>();
        while (true)
        {
            var token = _reader.Current;
            switch (token.Kind)
            {
                case TokenKind.Text:
                    _reader.Next();
                    body.Add(new TextStatement(token.Line, token.Text));
                    break;
                case TokenKind.OutputBegin:
                    _reader.Next();
                    body.Add(new OutputStatement(token.Line, Expressions().ReadTuple()));
                    _reader.Expect(TokenKind.OutputEnd, "}}");
                    break;
                case TokenKind.End when ends.Length > 0:
                    throw _reader.Error($"the template ends before '{string.Join("' or '", ends.ToArray())}'");
                case TokenKind.End:
                    _depth--;
                    return [.. body];
                default:
                    if (ends.Contains(_reader.Peek.Text))
                    {
                        _depth--;
                        return [.. body];
                    }
                    _reader.Next();
                    body.Add(Block());
                    break;
            }
        }
    }

    private Statement Block()
    {
        var name = _reader.Expect(TokenKind.Name, "the name of a statement");
        switch (name.Text)
        {
            case "if":
                return If(name.Line);
            case "for":
                return For(name.Line);
            case "set":
                return Set(name.Line);
            case "macro":
                return Macro(name.Line);
            case "generation":
                EndTag();
                return new BlockStatement(name.Line, BodyUntil("endgeneration"));
            case "break" or "continue" when _loops > 0:
                EndTag();
                return new FlowStatement(name.Line, name.Text == "break" ? Flow.Break : Flow.Continue);
            case "break" or "continue":
                throw TemplateException.At(name.Line, $"'{name.Text}' outside a loop");
            default:
                throw TemplateException.At(name.Line, $"the statement '{name.Text}' is not supported here");
        }
    }

    private IfStatement If(int line)
    {
        var branches = new List<(Expression?, Statement[])>();
        Expression? condition = Expressions().ReadTuple();
        while (true)
        {
            EndTag();
            branches.Add((condition, condition is null ? Body("endif") : Body("elif", "else", "endif")));
            _reader.Next();
            string end = _reader.Next().Text;
            if (end == "endif")
                break;
            condition = end == "elif" ? Expressions().ReadTuple() : null;
        }
        EndTag();
        return new IfStatement(line, [.. branches]);
    }

    private ForStatement For(int line)
    {
        var target = Targets();
        _reader.ExpectName("in");
        var items = Expressions().ReadWithoutCondition();
        var condition = _reader.Take("if") ? Expressions().Read() : null;
        if (_reader.Current.Is("recursive"))
            throw _reader.Error("'recursive' is not supported");
        EndTag();
        _loops++;
        var body = Body("else", "endfor");
        _loops--;
        _reader.Next();
        bool hasElse = _reader.Next().Text == "else";
        EndTag();
        return new ForStatement(line, target, items, condition, body, hasElse ? BodyUntil("endfor") : []);
    }

    private Statement Set(int line)
    {
        var target = Targets();
        if (_reader.Take("="))
        {
            var value = Expressions().ReadTuple();
            EndTag();
            return new SetStatement(line, target, value);
        }
        var filters = Expressions().ReadFilters();
        EndTag();
        return new SetBlockStatement(line, target, BodyUntil("endset"), filters);
    }

    private MacroStatement Macro(int line)
    {
        string name = _reader.Expect(TokenKind.Name, "the name of a macro").Text;
        var parameters = new List<(string, Expression?)>();
        _reader.ExpectOperator("(");
        while (!_reader.Take(")"))
        {
            if (parameters.Count > 0)
                _reader.ExpectOperator(",");
            string parameter = _reader.Expect(TokenKind.Name, "the name of a parameter").Text;
            parameters.Add((parameter, _reader.Take("=") ? Expressions().Read() : null));
        }
        EndTag();
        int loops = _loops;
        _loops = 0;
        var body = BodyUntil("endmacro");
        _loops = loops;
        return new MacroStatement(line, name, [.. parameters], body);
    }

    private Statement[] BodyUntil(string end)
    {
        var body = Body(end);
        _reader.Next();
        _reader.Next();
        EndTag();
        return body;
    }

    private Target Targets()
    {
        var parts = new List<Target>();
        bool isTuple = false, hasBracket = _reader.Take("(");
        do
        {
            if (parts.Count > 0 && _reader.Current.Kind != TokenKind.Name)
                break;
            string name = _reader.Expect(TokenKind.Name, "a name").Text;
            string? attribute = _reader.Take(".") ? _reader.Expect(TokenKind.Name, "an attribute").Text : null;
            parts.Add(new Target(name, attribute));
        }
        while (_reader.Take(",") && (isTuple = true));
        if (hasBracket)
            _reader.ExpectOperator(")");
        return isTuple ? new Target(null, null, [.. parts]) : parts[0];
    }

    private ExpressionParser Expressions() => new(_reader, _depth);

    private void EndTag() => _reader.Expect(TokenKind.BlockEnd, "%}");
}

namespace S2ILGPU.Templates;

/// <summary>The tokens of a template, one after the other.</summary>
internal sealed class TokenReader(IReadOnlyList<TemplateToken> tokens)
{
    private int _at;

    /// <summary>The next token.</summary>
    public TemplateToken Current => tokens[_at];

    /// <summary>The one after it.</summary>
    public TemplateToken Peek => tokens[Math.Min(_at + 1, tokens.Count - 1)];

    /// <summary>Takes a token.</summary>
    public TemplateToken Next() => Current.Kind == TokenKind.End ? Current : tokens[_at++];

    /// <summary>Takes an operator or keyword where it is the next token.</summary>
    public bool Take(string text)
    {
        bool takes = Current.Is(text);
        if (takes)
            _at++;
        return takes;
    }

    /// <summary>Takes a token of a kind.</summary>
    public TemplateToken Expect(TokenKind kind, string what) => Current.Kind == kind ? Next()
        : throw Error($"expected {what}, got {Shown}");

    /// <summary>Takes a keyword.</summary>
    public void ExpectName(string name)
    {
        if (!Take(name))
            throw Error($"expected '{name}', got {Shown}");
    }

    /// <summary>Takes an operator.</summary>
    public void ExpectOperator(string text) => ExpectName(text);

    /// <summary>What is wrong with the next token.</summary>
    public TemplateException Error(string message) => TemplateException.At(Current.Line, message);

    private string Shown => Current.Kind switch
    {
        TokenKind.End => "the end of the template",
        TokenKind.BlockEnd => "'%}'",
        TokenKind.OutputEnd => "'}}'",
        TokenKind.Text => "text",
        _ => $"'{Current.Text}'",
    };
}

using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace S2ILGPU.Templates;

/// <summary>Cuts a template into tokens, with the rules of white space: a line break after a block tag goes
/// (<c>trim_blocks</c>), blanks before one that begins a line go (<c>lstrip_blocks</c>), and <c>-</c> takes all white
/// space on its side; <c>+</c> switches the first two off.</summary>
internal sealed partial class TemplateLexer
{
    private readonly string _source;
    private readonly List<TemplateToken> _tokens = [];
    private int _at, _line = 1, _textLine = 1;
    private bool _beginsLine = true, _stripsNext;

    private TemplateLexer(string source) => _source = source;

    /// <summary>The tokens of a template, the last one an end.</summary>
    public static IReadOnlyList<TemplateToken> Read(string source)
    {
        source = source.ReplaceLineEndings("\n");
        var lexer = new TemplateLexer(source.EndsWith('\n') ? source[..^1] : source);
        lexer.Run();
        return lexer._tokens;
    }

    private void Run()
    {
        while (_at < _source.Length)
        {
            int tag = NextTag(_at);
            string text = _source[_at..tag];
            _textLine = _line;
            _line += text.Count(c => c == '\n');
            bool isTag = tag < _source.Length, isOutput = isTag && _source[tag + 1] == '{';
            char control = isTag && tag + 2 < _source.Length ? _source[tag + 2] : ' ';
            Text(text, stripsEnd: control == '-', stripsBlanks: isTag && !isOutput && control != '+');
            _at = tag;
            if (!isTag)
                break;
            char kind = _source[tag + 1];
            _at += control is '-' or '+' ? 3 : 2;
            if (kind == '#')
                Comment();
            else
                Tag(isOutput);
        }
        _tokens.Add(new TemplateToken(TokenKind.End, "", _line));
    }

    private int NextTag(int from)
    {
        for (int i = _source.IndexOf('{', from); i >= 0 && i + 1 < _source.Length; i = _source.IndexOf('{', i + 1))
            if (_source[i + 1] is '{' or '%' or '#')
                return i;
        return _source.Length;
    }

    private void Text(string text, bool stripsEnd, bool stripsBlanks)
    {
        bool beginsLine = _beginsLine;
        if (_stripsNext)
            text = text.TrimStart();
        int lineStart = text.LastIndexOf('\n') + 1;
        if (stripsEnd)
            text = text.TrimEnd();
        else if (stripsBlanks && (lineStart > 0 || beginsLine) && string.IsNullOrWhiteSpace(text[lineStart..]))
            text = text[..lineStart];
        if (text.Length > 0)
            _tokens.Add(new TemplateToken(TokenKind.Text, text, _textLine));
        (_stripsNext, _beginsLine) = (false, false);
    }

    private void Comment()
    {
        int end = _source.IndexOf("#}", _at, StringComparison.Ordinal);
        if (end < 0)
            throw TemplateException.At(_line, "a comment has no end '#}'");
        _line += _source.AsSpan(_at, end - _at).Count('\n');
        char control = end > _at ? _source[end - 1] : ' ';
        _at = end + 2;
        AfterTag(control, trimsLine: true);
    }

    private void Tag(bool isOutput)
    {
        string end = isOutput ? "}}" : "%}";
        int first = _tokens.Count, depth = 0, line = _line;
        _tokens.Add(new TemplateToken(isOutput ? TokenKind.OutputBegin : TokenKind.BlockBegin, "", line));
        while (true)
        {
            SkipSpace();
            if (_at >= _source.Length)
                throw TemplateException.At(line, $"a tag has no end '{end}'");
            char c = _source[_at];
            int control = c is '-' or '+' && Follows(_at + 1, end) ? 1 : 0;
            if (depth == 0 && Follows(_at + control, end))
            {
                _tokens.Add(new TemplateToken(isOutput ? TokenKind.OutputEnd : TokenKind.BlockEnd, "", _line));
                _at += control + 2;
                bool isRaw = !isOutput && _tokens.Count == first + 3 && _tokens[first + 1].Is("raw");
                AfterTag(control == 1 ? c : ' ', trimsLine: !isOutput);
                if (isRaw)
                    Raw(first);
                return;
            }
            var token = Token();
            depth += token.Text is "(" or "[" or "{" && token.Kind == TokenKind.Operator ? 1
                : token.Text is ")" or "]" or "}" && token.Kind == TokenKind.Operator ? -1 : 0;
            _tokens.Add(token);
        }
    }

    private void AfterTag(char control, bool trimsLine)
    {
        _stripsNext = control == '-';
        _beginsLine = false;
        if (!trimsLine || control == '+' || _at >= _source.Length || _source[_at] != '\n')
            return;
        _at++;
        _line++;
        _beginsLine = true;
    }

    // What stands between raw and endraw is text.
    private void Raw(int first)
    {
        _tokens.RemoveRange(first, _tokens.Count - first);
        var end = EndRaw().Match(_source, _at);
        if (!end.Success)
            throw TemplateException.At(_line, "'raw' has no 'endraw'");
        _textLine = _line;
        string text = _source[_at..end.Index];
        Text(text, stripsEnd: end.Groups[1].Value == "-", stripsBlanks: end.Groups[1].Value != "+");
        _line += text.Count(c => c == '\n') + end.Value.Count(c => c == '\n');
        _at = end.Index + end.Length;
        AfterTag(end.Groups[2].Value is [var control] ? control : ' ', trimsLine: true);
    }

    private TemplateToken Token()
    {
        int line = _line;
        char c = _source[_at];
        if (c is '"' or '\'')
            return new TemplateToken(TokenKind.String, QuotedText(c), line);
        var match = Word().Match(_source, _at);
        if (!match.Success)
            throw TemplateException.At(line, $"unexpected character '{c}'");
        _at += match.Length;
        var kind = char.IsAsciiDigit(c) ? TokenKind.Number
            : char.IsLetter(c) || c == '_' ? TokenKind.Name : TokenKind.Operator;
        return new TemplateToken(kind, match.Value, line);
    }

    private string QuotedText(char quote)
    {
        var text = new StringBuilder();
        int line = _line;
        for (_at++; _at < _source.Length; _at++)
        {
            char c = _source[_at];
            if (c == quote)
            {
                _at++;
                return text.ToString();
            }
            if (c == '\n')
                _line++;
            if (c == '\\' && _at + 1 < _source.Length)
                Escape(text);
            else
                text.Append(c);
        }
        throw TemplateException.At(line, "a string has no end");
    }

    private void Escape(StringBuilder text)
    {
        char c = _source[++_at];
        int digits = c switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
        if (digits > 0)
        {
            if (_at + digits >= _source.Length
                || !int.TryParse(_source.AsSpan(_at + 1, digits), NumberStyles.AllowHexSpecifier, null, out int code)
                || !Rune.TryCreate(code, out var rune))
                throw TemplateException.At(_line, $"'\\{c}' needs {digits} hexadecimal digits of a character");
            text.Append(rune.ToString());
            _at += digits;
            return;
        }
        switch (c)
        {
            case 'n': text.Append('\n'); break;
            case 't': text.Append('\t'); break;
            case 'r': text.Append('\r'); break;
            case 'b': text.Append('\b'); break;
            case 'f': text.Append('\f'); break;
            case '\\' or '\'' or '"': text.Append(c); break;
            case '\n': _line++; break;
            default: text.Append('\\').Append(c); break;
        }
    }

    private void SkipSpace()
    {
        for (; _at < _source.Length && char.IsWhiteSpace(_source[_at]); _at++)
            if (_source[_at] == '\n')
                _line++;
    }

    private bool Follows(int at, string text) => string.CompareOrdinal(_source, at, text, 0, text.Length) == 0;

    [GeneratedRegex(@"\G(?:[0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|[\p{L}_][\p{L}\p{Nd}_]*"
        + @"|//|\*\*|[=!<>]=|[-+*/%~<>=.,:|()\[\]{}])")]
    private static partial Regex Word();

    [GeneratedRegex(@"\{%([-+]?)\s*endraw\s*([-+]?)%\}")]
    private static partial Regex EndRaw();
}

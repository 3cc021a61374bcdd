using System.Text;

namespace S2ILGPU.Cli.DotNetDocumentation;

/// <summary>Text under construction whose white space is put in order: one space between words, one line end between
/// paragraphs.</summary>
internal sealed class FlowingText
{
    private readonly StringBuilder _text = new();
    private bool _space, _break;
    private int _lineEnds; // in the white space that is being read

    /// <summary>Whether nothing was written.</summary>
    public bool IsEmpty => _text.Length == 0;

    /// <summary>Adds text; an empty line in it ends a paragraph.</summary>
    public void Append(ReadOnlySpan<char> text)
    {
        foreach (char c in text)
        {
            if (char.IsWhiteSpace(c))
            {
                _space = true;
                _lineEnds += c == '\n' ? 1 : 0;
                _break |= _lineEnds >= 2;
                continue;
            }
            WriteSpace();
            _text.Append(c);
        }
    }

    /// <summary>Ends the paragraph.</summary>
    public void Break() => _break = true;

    /// <summary>Adds <c>: </c> unless a list item has just begun.</summary>
    public void Colon()
    {
        if (_break || IsEmpty || (_text.Length >= 2 && _text[^1] == '-' && _text[^2] == '\n')
            || (_text.Length == 1 && _text[0] == '-'))
            return;
        _space = false;
        Append(": ");
    }

    /// <summary>Adds lines as they are, as a paragraph of their own; only what all of them are indented by
    /// goes.</summary>
    public void AppendVerbatim(string text)
    {
        string[] lines = text.TrimEnd().ReplaceLineEndings("\n").TrimStart('\n').Split('\n')
            .Select(line => line.TrimEnd()).ToArray();
        int indent = lines.Where(line => line.Length > 0).Select(line => line.Length - line.TrimStart().Length)
            .DefaultIfEmpty().Min();
        Break();
        WriteSpace();
        _text.AppendJoin('\n', lines.Select(line => line.Length > 0 ? line[indent..] : line));
        Break();
    }

    /// <summary>The text, and a fresh start.</summary>
    public string Take()
    {
        string text = _text.ToString();
        _text.Clear();
        (_space, _break, _lineEnds) = (false, false, 0);
        return text;
    }

    private void WriteSpace()
    {
        if (!IsEmpty && (_break || _space))
            _text.Append(_break ? '\n' : ' ');
        (_space, _break, _lineEnds) = (false, false, 0);
    }
}

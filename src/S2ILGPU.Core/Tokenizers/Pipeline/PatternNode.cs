namespace S2ILGPU.Tokenizers.Pipeline;

/// <summary>A part of a pattern with what follows it: matches text from a position on, with the first of its ways that
/// lets the rest match too.</summary>
internal abstract class PatternNode
{
    /// <summary>Exclusive end of the match that begins at <paramref name="position"/>, or -1.</summary>
    public abstract int MatchEnd(ReadOnlySpan<byte> text, int position);

    /// <summary>Whether a match may begin where the text goes on with a byte; false only where none can.</summary>
    public abstract bool CanBeginWith(byte first);
}

/// <summary>The end of a pattern: everything before it has matched.</summary>
internal sealed class PatternEnd : PatternNode
{
    public override int MatchEnd(ReadOnlySpan<byte> text, int position) => position;

    public override bool CanBeginWith(byte first) => true;
}

/// <summary>The end of the text, <c>$</c> and <c>\z</c>.</summary>
internal sealed class TextEnd(PatternNode next) : PatternNode
{
    public override int MatchEnd(ReadOnlySpan<byte> text, int position) =>
        position == text.Length ? next.MatchEnd(text, position) : -1;

    public override bool CanBeginWith(byte first) => false;
}

/// <summary>Characters of a set, as many as there are, from a fewest to a most.</summary>
/// <remarks>Where the rest does not match, one character fewer is tried, unless the repetition is
/// possessive.</remarks>
internal sealed class CharacterLoop(CharacterSet set, int fewest, int most, bool isPossessive, PatternNode next)
    : PatternNode
{
    private readonly bool _isLast = next is PatternEnd;

    public override int MatchEnd(ReadOnlySpan<byte> text, int position)
    {
        int count = 0, end = position, firstEnd = position;
        while (count < most && end < text.Length && set.LengthAt(text, end) is > 0 and int length)
        {
            end += length;
            if (++count == fewest)
                firstEnd = end;
        }
        if (count < fewest)
            return -1;
        if (_isLast)
            return end;
        while (true)
        {
            int matched = next.MatchEnd(text, end);
            if (matched >= 0 || isPossessive || end == firstEnd)
                return matched;
            end = CharacterSet.StartBefore(text, end);
        }
    }

    public override bool CanBeginWith(byte first) =>
        set.CanBeginWith(first) || (fewest == 0 && next.CanBeginWith(first));
}

/// <summary>The first of several ways that matches with the rest; each ends in the same rest.</summary>
/// <remarks>Only those ways are tried that may begin with the next byte: of most patterns one or two.</remarks>
internal sealed class Alternatives : PatternNode
{
    private readonly PatternNode[] _all;
    private readonly PatternNode[][] _byFirst = new PatternNode[256][];

    public Alternatives(PatternNode[] ways)
    {
        _all = ways;
        for (int first = 0; first < _byFirst.Length; first++)
            _byFirst[first] = [.. ways.Where(way => way.CanBeginWith((byte)first))];
    }

    public override int MatchEnd(ReadOnlySpan<byte> text, int position)
    {
        foreach (var way in position < text.Length ? _byFirst[text[position]] : _all)
            if (way.MatchEnd(text, position) is >= 0 and int end)
                return end;
        return -1;
    }

    public override bool CanBeginWith(byte first) => _byFirst[first].Length > 0;
}

/// <summary>What must follow, or must not, without being part of the match: <c>(?=...)</c>, <c>(?!...)</c>.</summary>
internal sealed class LookAhead(PatternNode ahead, bool isNegative, PatternNode next) : PatternNode
{
    public override int MatchEnd(ReadOnlySpan<byte> text, int position) =>
        ahead.MatchEnd(text, position) >= 0 != isNegative ? next.MatchEnd(text, position) : -1;

    public override bool CanBeginWith(byte first) => next.CanBeginWith(first);
}

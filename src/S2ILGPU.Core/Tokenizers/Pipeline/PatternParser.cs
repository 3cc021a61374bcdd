using System.Globalization;
using System.Text;

namespace S2ILGPU.Tokenizers.Pipeline;

/// <summary>Reads a regular expression into nodes, from its end to its beginning as far as nodes are made: each knows
/// the one after it.</summary>
internal sealed class PatternParser(string text)
{
    private const int MaxDepth = 64;

    private int _position, _depth;
    private bool _ignoresCase;

    // What a node is made of, given what follows it.
    private delegate PatternNode Part(PatternNode next);

    public PatternNode Parse()
    {
        var part = ReadAlternatives();
        return _position == text.Length ? part(new PatternEnd()) : throw Bad("')' without '('");
    }

    public static PatternNode Literal(string text)
    {
        PatternNode node = new PatternEnd();
        foreach (var rune in text.EnumerateRunes().Reverse())
            node = new CharacterLoop(CharacterSet.Range(rune.Value, rune.Value), 1, 1, false, node);
        return node;
    }

    private Part ReadAlternatives()
    {
        bool ignoresCase = _ignoresCase; // a switch inside a group ends with it
        List<Part> ways = [ReadSequence()];
        while (TryTake("|"))
            ways.Add(ReadSequence());
        _ignoresCase = ignoresCase;
        return ways.Count == 1 ? ways[0] : next => new Alternatives([.. ways.Select(way => way(next))]);
    }

    private Part ReadSequence()
    {
        var parts = new List<Part>();
        while (_position < text.Length && text[_position] is not ('|' or ')'))
            parts.Add(ReadPart());
        return next => Enumerable.Reverse(parts).Aggregate(next, (rest, part) => part(rest));
    }

    private Part ReadPart()
    {
        if (TryTake("(?i)"))
        {
            _ignoresCase = true;
            return next => next;
        }
        if (TryTake("$") || TryTake(@"\z"))
            return next => new TextEnd(next);
        if (TryTake("("))
            return ReadGroup();
        var set = ReadSet();
        var (fewest, most, isPossessive) = ReadRepetition();
        return next => new CharacterLoop(set, fewest, most, isPossessive, next);
    }

    private Part ReadGroup()
    {
        bool isAhead = TryTake("?="), isNotAhead = !isAhead && TryTake("?!"), ignoresCase = _ignoresCase;
        if (TryTake("?i:"))
            _ignoresCase = true;
        else if (!isAhead && !isNotAhead && !TryTake("?:") && _position < text.Length && text[_position] == '?')
            throw Bad("only groups (?:...), (?i:...), (?=...) and (?!...) are known");
        if (++_depth > MaxDepth)
            throw Bad($"more than {MaxDepth} groups inside each other");
        var inner = ReadAlternatives();
        _depth--;
        _ignoresCase = ignoresCase;
        if (!TryTake(")"))
            throw Bad("')' is missing");
        if (isAhead || isNotAhead)
            return next => new LookAhead(inner(new PatternEnd()), isNotAhead, next);
        return ReadRepetition() switch
        {
            (1, 1, _) => inner,
            (0, 1, false) => next => new Alternatives([inner(next), next]),
            _ => throw Bad("a group can be repeated by '?' only"),
        };
    }

    private (int Fewest, int Most, bool IsPossessive) ReadRepetition()
    {
        (int, int) times = TryTake("?") ? (0, 1) : TryTake("*") ? (0, int.MaxValue) : TryTake("+") ? (1, int.MaxValue)
            : TryTake("{") ? ReadTimes() : (1, 1);
        bool isOnce = times == (1, 1), isPossessive = !isOnce && text[_position - 1] != '}' && TryTake("+");
        if (!isOnce && _position < text.Length && text[_position] is '?' or '*' or '+' or '{')
            throw Bad("a repetition cannot follow a repetition");
        return (times.Item1, times.Item2, isPossessive);
    }

    private (int, int) ReadTimes()
    {
        string[] ends = TakeUntil('}').Split(',');
        int fewest = 0, most = int.MaxValue;
        bool isRead = ends.Length is 1 or 2 && ends.Any(end => end != "")
            && (ends[0] == "" || TryNumber(ends[0], out fewest)) && (ends[^1] == "" || TryNumber(ends[^1], out most));
        return isRead && fewest <= most && most > 0 ? (fewest, most) : throw Bad("'{' begins no number of times");
    }

    private static bool TryNumber(string digits, out int number) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    private CharacterSet ReadSet()
    {
        if (TryTake("["))
            return ReadBrackets();
        if (TryTake("."))
            return CharacterSet.Union([CharacterSet.Range('\n', '\n')], isNegated: true);
        if (text[_position] is '*' or '+' or '?' or '{' or '^')
            throw Bad($"'{text[_position]}' is not supported there");
        return ReadCharacterOrSet(out int codePoint) ?? One(codePoint);
    }

    private CharacterSet One(int codePoint) =>
        _ignoresCase ? CharacterSet.EitherCase(codePoint) : CharacterSet.Range(codePoint, codePoint);

    private CharacterSet ReadBrackets()
    {
        bool isNegated = TryTake("^");
        var sets = new List<CharacterSet>();
        while (!TryTake("]"))
        {
            if (_position >= text.Length || text.AsSpan(_position).StartsWith("&&") || text[_position] == '[')
                throw Bad("a set ends too early, or uses && or a set inside");
            if (ReadCharacterOrSet(out int first) is { } set)
                sets.Add(set);
            else if (_position + 1 < text.Length && text[_position] == '-' && text[_position + 1] != ']')
            {
                _position++;
                if (ReadCharacterOrSet(out int last) is not null || last < first || _ignoresCase)
                    throw Bad("a range needs two characters in their order, and its own case");
                sets.Add(CharacterSet.Range(first, last));
            }
            else
                sets.Add(One(first));
        }
        return CharacterSet.Union(sets, isNegated);
    }

    // A set like \p{L}, or null and one character.
    private CharacterSet? ReadCharacterOrSet(out int codePoint)
    {
        if (!TryTake("\\"))
        {
            codePoint = Rune.TryGetRuneAt(text, _position, out var rune) ? rune.Value
                : throw Bad("half a surrogate pair");
            _position += rune.Utf16SequenceLength;
            return null;
        }
        char escape = _position < text.Length ? text[_position++] : throw Bad("'\\' ends the pattern");
        codePoint = escape switch
        {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'f' => '\f',
            'v' => '\v',
            'x' or 'u' => ReadHexadecimal(escape),
            _ => escape,
        };
        return escape switch
        {
            's' => CharacterSet.Space,
            'S' => CharacterSet.NotSpace,
            'd' => CharacterSet.Category("Nd", isNegated: false),
            'D' => CharacterSet.Category("Nd", isNegated: true),
            'w' => CharacterSet.Word,
            'p' or 'P' => ReadProperty(escape == 'P'),
            'n' or 'r' or 't' or 'f' or 'v' or 'x' or 'u' => null,
            _ => char.IsAsciiLetterOrDigit(escape) ? throw Bad($"'\\{escape}' is not known") : null,
        };
    }

    private CharacterSet ReadProperty(bool isNegated)
    {
        if (!TryTake("{"))
            throw Bad("a property needs braces");
        if (TryTake("^"))
            isNegated = !isNegated;
        string name = TakeUntil('}');
        return CharacterSet.Category(name, isNegated)
            ?? throw Bad($"the property '{name}' is not known, only general categories are");
    }

    private int ReadHexadecimal(char escape)
    {
        string digits = TryTake("{") ? TakeUntil('}') : Take(escape == 'x' ? 2 : 4);
        return int.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value)
            && Rune.IsValid(value) ? value : throw Bad($"'{digits}' is not the number of a character");
    }

    private string Take(int count)
    {
        string taken = text[_position..Math.Min(text.Length, _position + count)];
        _position += taken.Length;
        return taken;
    }

    private string TakeUntil(char end)
    {
        int found = text.IndexOf(end, _position);
        string taken = found >= 0 ? text[_position..found] : throw Bad($"'{end}' is missing");
        _position = found + 1;
        return taken;
    }

    private bool TryTake(string token)
    {
        bool found = text.AsSpan(_position).StartsWith(token);
        _position += found ? token.Length : 0;
        return found;
    }

    private FormatException Bad(string what) => new($"{what} (at character {_position + 1} of the pattern)");
}

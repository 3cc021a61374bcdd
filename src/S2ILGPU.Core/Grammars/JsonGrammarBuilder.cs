using System.Text;
using System.Text.Json;

namespace S2ILGPU.Grammars;

/// <summary>Grammars of JSON texts: any object, or what a schema accepts.</summary>
internal sealed class JsonGrammarBuilder
{
    // White space between the parts of a text: none, a blank, or a line break and its indentation.
    private const int MaxIndent = 20;

    private const int MaxRules = 100_000;

    private readonly List<GrammarElement[][]?> _rules = [];
    private readonly Dictionary<string, int> _named = [];
    private readonly Dictionary<GrammarElement[][], int> _alike = new(new SameElements());
    private readonly Dictionary<(int, int, int?, int?), int> _repeated = [];

    /// <summary>Any JSON object.</summary>
    public static Grammar AnyObject()
    {
        var builder = new JsonGrammarBuilder();
        return builder.Grammar(builder.Object());
    }

    /// <summary>What schemas accept, each between two texts.</summary>
    public static Grammar FromForms(IReadOnlyList<GrammarForm> forms)
    {
        var builder = new JsonGrammarBuilder();
        return builder.Grammar(builder.Rule([.. forms.Select(form => (GrammarElement[])[.. Text(form.Before),
            GrammarElement.Of(new JsonSchemaReader(builder, form.Schema).Rule()), .. Text(form.After)])]), forms);
    }

    /// <summary>A rule whose alternatives are set later: one that needs itself.</summary>
    /// <exception cref="ArgumentException">There are too many rules.</exception>
    public int Reserve()
    {
        if (_rules.Count == MaxRules)
            throw new ArgumentException($"JSON schema: too large, it needs more than {MaxRules} rules");
        _rules.Add(null);
        return _rules.Count - 1;
    }

    /// <summary>The alternatives of a reserved rule.</summary>
    public void Define(int rule, params GrammarElement[][] alternatives) => _rules[rule] = alternatives;

    /// <summary>A rule of alternatives: the one that has the same already, else a text would follow both of them as two
    /// ways, and twice as many at each level of a schema that needs itself.</summary>
    public int Rule(params GrammarElement[][] alternatives)
    {
        if (_alike.TryGetValue(alternatives, out int known))
            return known;
        int rule = Reserve();
        Define(rule, alternatives);
        return _alike[alternatives] = rule;
    }

    /// <summary>Bytes that follow each other.</summary>
    public static GrammarElement[] Text(string text) =>
        [.. Encoding.UTF8.GetBytes(text).Select(b => (GrammarElement)ByteSet.Range(b, b))];

    /// <summary>One of several texts; common beginnings are one way.</summary>
    public int OneOf(IEnumerable<byte[]> texts)
    {
        var alternatives = new List<GrammarElement[]>();
        foreach (var group in texts.GroupBy(text => text is [var first, ..] ? first : -1))
        {
            byte[][] alike = [.. group];
            int common = alike.Min(text => text.AsSpan().CommonPrefixLength(alike[0]));
            GrammarElement[] prefix = [.. alike[0][..common].Select(b => (GrammarElement)ByteSet.Range(b, b))];
            alternatives.Add(alike.Length == 1 ? prefix
                : [.. prefix, GrammarElement.Of(OneOf(alike.Select(text => text[common..])))]);
        }
        return Rule([.. alternatives]);
    }

    /// <summary>A rule several times.</summary>
    /// <param name="item">The rule.</param>
    /// <param name="least">The fewest times.</param>
    /// <param name="most">The most times; null for any number.</param>
    /// <param name="separator">A rule between two items; null for none.</param>
    public int Repeat(int item, int least, int? most, int? separator = null) =>
        _repeated.TryGetValue((item, least, most, separator), out int known) ? known
        : _repeated[(item, least, most, separator)] = Repeated(item, least, most, separator);

    /// <summary>White space.</summary>
    public int Space() => Named("space", () =>
    {
        int indent = Repeat(Rule([ByteSet.Of(" \t")]), 0, MaxIndent);
        return Rule([], [ByteSet.Of(" ")], [ByteSet.Of("\n"), GrammarElement.Of(indent)]);
    });

    /// <summary>Any value.</summary>
    public int Value()
    {
        if (_named.TryGetValue("value", out int known))
            return known;
        int rule = _named["value"] = Reserve();
        Define(rule, [GrammarElement.Of(Object())], [GrammarElement.Of(Array(Value(), 0, null))],
            [GrammarElement.Of(String(0, null))], [GrammarElement.Of(Number())], Text("true"), Text("false"),
            Text("null"));
        return rule;
    }

    /// <summary>An object with any keys.</summary>
    public int Object() => Named("object", () => Map(Value()));

    /// <summary>An object with any keys and values of a rule.</summary>
    public int Map(int value)
    {
        int member = Rule([GrammarElement.Of(String(0, null)), GrammarElement.Of(Space()), ByteSet.Of(":"),
            GrammarElement.Of(Space()), GrammarElement.Of(value), GrammarElement.Of(Space())]);
        return Enclosed('{', Repeat(member, 0, null, Comma()), '}');
    }

    /// <summary>An array with items of a rule.</summary>
    public int Array(int item, int least, int? most)
    {
        int spaced = Rule([GrammarElement.Of(item), GrammarElement.Of(Space())]);
        return Enclosed('[', Repeat(spaced, least, most, Comma()), ']');
    }

    /// <summary>A string of so many characters.</summary>
    public int String(int least, int? most) =>
        Rule([ByteSet.Of("\""), GrammarElement.Of(Repeat(Character(), least, most)), ByteSet.Of("\"")]);

    /// <summary>An integer.</summary>
    public int Integer() => Named("integer", () =>
    {
        int digits = Repeat(Rule([ByteSet.Of("0123456789")]), 0, null);
        int natural = Rule([ByteSet.Of("0")], [ByteSet.Of("123456789"), GrammarElement.Of(digits)]);
        return Rule([GrammarElement.Of(natural)], [ByteSet.Of("-"), GrammarElement.Of(natural)]);
    });

    /// <summary>A number.</summary>
    public int Number() => Named("number", () =>
    {
        int digits = Repeat(Rule([ByteSet.Of("0123456789")]), 1, null);
        int fraction = Rule([], [ByteSet.Of("."), GrammarElement.Of(digits)]);
        int exponent = Rule([], [ByteSet.Of("eE"), GrammarElement.Of(digits)],
            [ByteSet.Of("eE"), ByteSet.Of("+-"), GrammarElement.Of(digits)]);
        return Rule([GrammarElement.Of(Integer()), GrammarElement.Of(fraction), GrammarElement.Of(exponent)]);
    });

    /// <summary>A comma and white space.</summary>
    public int Comma() => Named("comma", () => Rule([ByteSet.Of(","), GrammarElement.Of(Space())]));

    /// <summary>What stands between two brackets.</summary>
    public int Enclosed(char open, int content, char close) => Rule([ByteSet.Of(open.ToString()),
        GrammarElement.Of(Space()), GrammarElement.Of(content), ByteSet.Of(close.ToString())]);

    private int Repeated(int item, int least, int? most, int? separator)
    {
        // after the first item each begins with the separator
        int next = separator is { } s ? Rule([GrammarElement.Of(s), GrammarElement.Of(item)]) : item;
        int rest;
        if (most is { } count)
        {
            rest = Rule([[]]);
            for (int i = count; i > 1; i--)
                rest = i > least ? Rule([GrammarElement.Of(next), GrammarElement.Of(rest)], [])
                    : Rule([GrammarElement.Of(next), GrammarElement.Of(rest)]);
        }
        else
        {
            rest = Reserve();
            Define(rest, [GrammarElement.Of(next), GrammarElement.Of(rest)], []);
            for (int i = least; i > 1; i--)
                rest = Rule([GrammarElement.Of(next), GrammarElement.Of(rest)]);
        }
        if (most == 0)
            return Rule([[]]);
        return least == 0 ? Rule([GrammarElement.Of(item), GrammarElement.Of(rest)], [])
            : Rule([GrammarElement.Of(item), GrammarElement.Of(rest)]);
    }

    private int Named(string name, Func<int> create) =>
        _named.TryGetValue(name, out int known) ? known : _named[name] = create();

    // A character of a string: of ASCII, of two to four bytes of UTF-8, or escaped.
    private int Character() => Named("character", () =>
    {
        ByteSet more = ByteSet.Range(0x80, 0xbf), hex = ByteSet.Of("0123456789abcdefABCDEF");
        ByteSet slash = ByteSet.Of("\\"), u = ByteSet.Of("u"), d = ByteSet.Of("dD");
        return Rule([ByteSet.Range(0x20, 0x7f).Except("\"\\")], [ByteSet.Range(0xc2, 0xdf), more],
            [ByteSet.Range(0xe0, 0xe0), ByteSet.Range(0xa0, 0xbf), more], [ByteSet.Range(0xe1, 0xec), more, more],
            [ByteSet.Range(0xed, 0xed), ByteSet.Range(0x80, 0x9f), more], [ByteSet.Range(0xee, 0xef), more, more],
            [ByteSet.Range(0xf0, 0xf0), ByteSet.Range(0x90, 0xbf), more, more],
            [ByteSet.Range(0xf1, 0xf3), more, more, more],
            [ByteSet.Range(0xf4, 0xf4), ByteSet.Range(0x80, 0x8f), more, more],
            [slash, ByteSet.Of("\"\\/bfnrt")],
            [slash, u, hex.Except("dD"), hex, hex, hex], [slash, u, d, ByteSet.Of("01234567"), hex, hex],
            // a surrogate pair: half of one is no character
            [slash, u, d, ByteSet.Of("89abAB"), hex, hex, slash, u, d, ByteSet.Of("cdefCDEF"), hex, hex]);
    });

    private Grammar Grammar(int root, IReadOnlyList<GrammarForm>? forms = null) =>
        new([.. _rules.Select(rule => rule!)], root, forms);

    private sealed class SameElements : IEqualityComparer<GrammarElement[][]>
    {
        public bool Equals(GrammarElement[][]? x, GrammarElement[][]? y) =>
            x!.Length == y!.Length && x.Zip(y).All(pair => pair.First.AsSpan().SequenceEqual(pair.Second));

        public int GetHashCode(GrammarElement[][] obj)
        {
            var hash = new HashCode();
            foreach (var alternative in obj)
            {
                hash.Add(alternative.Length);
                foreach (var element in alternative)
                    hash.Add(element);
            }
            return hash.ToHashCode();
        }
    }
}

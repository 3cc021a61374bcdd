using System.Text;

namespace S2ILGPU.Templates;

/// <summary>Methods of strings and dictionaries, by their Python names.</summary>
internal static class TemplateMethods
{
    private static readonly Dictionary<string, Func<string, CallArguments, object?>> s_strings = new()
    {
        ["strip"] = (s, a) => Stripped(s, a, start: true, end: true),
        ["lstrip"] = (s, a) => Stripped(s, a, start: true, end: false),
        ["rstrip"] = (s, a) => Stripped(s, a, start: false, end: true),
        ["upper"] = (s, a) => s.ToUpperInvariant(),
        ["lower"] = (s, a) => s.ToLowerInvariant(),
        ["capitalize"] = (s, a) => Capitalized(s),
        ["title"] = (s, a) => Titled(s, c => !char.IsLetter(c)),
        ["startswith"] = (s, a) => Any(a, "prefix", part => s.StartsWith(part, StringComparison.Ordinal)),
        ["endswith"] = (s, a) => Any(a, "suffix", part => s.EndsWith(part, StringComparison.Ordinal)),
        ["replace"] = (s, a) => Replaced(s, a.Text(0, "old"), a.Text(1, "new"), a.Integer(2, "count", -1)),
        ["split"] = (s, a) => Split(s, a[0, "sep"], a.Integer(1, "maxsplit", -1)),
        ["find"] = (s, a) => s.IndexOf(a.Text(0, "sub"), StringComparison.Ordinal) is >= 0 and var at
            ? (long)s.AsSpan(0, at).EnumerateRunesCount() : -1L,
        ["count"] = (s, a) => a.Text(0, "sub") is { Length: > 0 } part ? s.Split(part).Length - 1L : s.Length + 1L,
        ["join"] = (s, a) => string.Join(s, TemplateValues.Items(a[0, "iterable"], "what is joined")
            .Select(item => item as string ?? throw new TemplateException("join needs strings"))),
        ["isdigit"] = (s, a) => s.Length > 0 && s.All(char.IsDigit),
        ["isspace"] = (s, a) => s.Length > 0 && s.All(char.IsWhiteSpace),
    };

    private static readonly Dictionary<string, Func<OrderedDictionary<object, object?>, CallArguments, object?>>
        s_dictionaries = new()
        {
            ["items"] = (d, a) => Entries(d),
            ["keys"] = (d, a) => d.Keys.ToList<object?>(),
            ["values"] = (d, a) => d.Values.ToList(),
            ["get"] = (d, a) => a[0, "key"] is { } key && d.TryGetValue(key, out object? value) ? value
                : a[1, "default"],
        };

    /// <summary>The method of a value; null where it has none of that name.</summary>
    public static Callable? Find(object? value, string name) => value switch
    {
        string text when s_strings.TryGetValue(name, out var method) => arguments => method(text, arguments),
        OrderedDictionary<object, object?> dictionary when s_dictionaries.TryGetValue(name, out var method) =>
            arguments => method(dictionary, arguments),
        _ => null,
    };

    /// <summary>Key and value of each entry, as lists of two.</summary>
    public static List<object?> Entries(OrderedDictionary<object, object?> dictionary) =>
        [.. dictionary.Select(entry => new List<object?> { entry.Key, entry.Value })];

    /// <summary>The first letter large, the others small.</summary>
    public static string Capitalized(string text) => text.Length == 0 ? ""
        : char.ToUpperInvariant(text[0]) + text[1..].ToLowerInvariant();

    /// <summary>The first letter of each word large, the others small.</summary>
    /// <param name="text">The text.</param>
    /// <param name="parts">What stands between words.</param>
    public static string Titled(string text, Func<char, bool> parts)
    {
        var titled = new StringBuilder();
        bool beginsWord = true;
        foreach (char c in text)
        {
            titled.Append(beginsWord ? char.ToUpperInvariant(c) : char.ToLowerInvariant(c));
            beginsWord = parts(c);
        }
        return titled.ToString();
    }

    /// <summary>A part replaced, at most so many times; below 0 everywhere.</summary>
    public static string Replaced(string text, string old, string replacement, long count)
    {
        if (count < 0 && old.Length > 0)
            return text.Replace(old, replacement, StringComparison.Ordinal);
        if (old.Length == 0)
            throw new TemplateException("what is replaced is empty");
        var result = new StringBuilder();
        int from = 0;
        for (; count > 0 && text.IndexOf(old, from, StringComparison.Ordinal) is >= 0 and var at; count--)
        {
            result.Append(text, from, at - from).Append(replacement);
            from = at + old.Length;
        }
        return result.Append(text, from, text.Length - from).ToString();
    }

    private static long EnumerateRunesCount(this ReadOnlySpan<char> text)
    {
        long count = 0;
        foreach (var _ in text.EnumerateRunes())
            count++;
        return count;
    }

    private static string Stripped(string text, CallArguments arguments, bool start, bool end)
    {
        char[]? characters = arguments[0, "chars"] is string given ? given.ToCharArray() : null;
        text = start ? text.TrimStart(characters) : text;
        return end ? text.TrimEnd(characters) : text;
    }

    // A string, or any of several.
    private static bool Any(CallArguments arguments, string name, Func<string, bool> holds) => arguments[0, name] switch
    {
        string part => holds(part),
        IReadOnlyList<object?> parts => parts.Any(part => part is string text && holds(text)),
        _ => throw new TemplateException($"the argument '{name}' must be a string"),
    };

    private static List<object?> Split(string text, object? separator, long most)
    {
        int count = most < 0 ? int.MaxValue : (int)Math.Min(most + 1, int.MaxValue);
        if (separator is string { Length: > 0 } part)
            return [.. text.Split(part, count)];
        if (separator is not null)
            throw new TemplateException("the argument 'sep' must be a string that is not empty");
        // at white space, with none at the ends
        var words = new List<object?>();
        var rest = text.AsSpan().TrimStart();
        while (rest.Length > 0)
        {
            int end = 0;
            while (end < rest.Length && !char.IsWhiteSpace(rest[end]))
                end++;
            if (words.Count + 1 == count)
                end = rest.TrimEnd().Length;
            words.Add(rest[..end].ToString());
            rest = words.Count == count ? [] : rest[end..].TrimStart();
        }
        return words;
    }
}

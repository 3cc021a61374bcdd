using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace S2ILGPU.Grammars;

/// <summary>A set of texts, as a context-free grammar over the bytes of UTF-8: rules of alternatives, each a sequence
/// of byte sets and other rules.</summary>
/// <remarks>Immutable, thread-safe; a <see cref="GrammarMatcher"/> follows one text. No rule begins with
/// itself. As JSON it is what it was made of, so that it can be sent to another process.</remarks>
[JsonConverter(typeof(GrammarConverter))]
public sealed class Grammar
{
    private readonly GrammarElement[][][] _rules, _shortest;

    internal Grammar(GrammarElement[][][] rules, int root, IReadOnlyList<GrammarForm>? forms = null)
    {
        Forms = forms;
        FirstRules.Check(rules);
        var heights = RuleHeights.Of(rules);
        if (heights[root] == RuleHeights.None)
            throw new ArgumentException("JSON schema: no text of finite length meets it");
        // what leads to no text is left out, so that no text gets stuck
        _rules = [.. rules.Select(alternatives => alternatives
            .Where(a => RuleHeights.Of(a, heights) != RuleHeights.None).ToArray())];
        _shortest = [.. _rules.Select((alternatives, rule) => alternatives
            .Where(a => RuleHeights.Of(a, heights) == heights[rule] - 1).ToArray())];
        Root = root;
        ByteClasses = ByteSet.Classes(_rules.SelectMany(rule => rule).SelectMany(alternative => alternative)
            .Select(element => element.Bytes).OfType<ByteSet>());
    }

    /// <summary>The JSON objects: what JSON mode of completion APIs asks for.</summary>
    public static Grammar JsonObject { get; } = JsonGrammarBuilder.AnyObject();

    /// <summary>What it was made of; null for any JSON object.</summary>
    internal IReadOnlyList<GrammarForm>? Forms { get; }

    /// <summary>The rule that the whole text follows.</summary>
    internal int Root { get; }

    /// <summary>A number for each byte; bytes of one number are alike to the grammar.</summary>
    internal byte[] ByteClasses { get; }

    /// <summary>The alternatives of a rule.</summary>
    /// <param name="rule">The rule.</param>
    /// <param name="onlyShortest">Only those that are nearest to a text: a text that takes them comes to an
    /// end.</param>
    internal GrammarElement[][] Alternatives(int rule, bool onlyShortest) =>
        onlyShortest ? _shortest[rule] : _rules[rule];

    /// <summary>JSON texts that a schema accepts.</summary>
    /// <param name="schema">A JSON schema: type, properties, required, items, minItems, maxItems, minLength, maxLength,
    /// enum, const, anyOf, oneOf, allOf of one, $ref into the schema itself, and annotations.</param>
    /// <returns>The grammar. Objects have their properties in the order of the schema; where some are named, there are
    /// no others.</returns>
    /// <exception cref="ArgumentException">The schema uses another keyword, or cannot be met.</exception>
    public static Grammar FromJsonSchema(JsonElement schema) =>
        JsonGrammarBuilder.FromForms([new GrammarForm("", schema.Clone(), "")]);

    /// <summary>Texts of one of several forms: a text, then JSON that a schema accepts, then a text.</summary>
    /// <param name="forms">At least one form; schemas as for <see cref="FromJsonSchema"/>.</param>
    /// <exception cref="ArgumentException">A schema uses another keyword, or no text meets any form.</exception>
    public static Grammar FromForms(IEnumerable<(string Before, JsonElement Schema, string After)> forms)
    {
        ArgumentNullException.ThrowIfNull(forms);
        return JsonGrammarBuilder.FromForms(
            [.. forms.Select(form => new GrammarForm(form.Before, form.Schema.Clone(), form.After))]);
    }

    /// <summary>Whether a whole text is in the set.</summary>
    /// <exception cref="InvalidOperationException">The grammar allows too many ways at once in the text.</exception>
    public bool Matches(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var matcher = new GrammarMatcher(this);
        foreach (byte value in Encoding.UTF8.GetBytes(text))
            if (!matcher.Accept(value))
                return false;
        return matcher.IsComplete;
    }
}

/// <summary>A text, then JSON that a schema accepts, then a text.</summary>
internal readonly record struct GrammarForm(string Before, JsonElement Schema, string After);

/// <summary>An element of an alternative: a set of bytes, or a rule.</summary>
/// <param name="Bytes">The set; null for a rule.</param>
/// <param name="Rule">Number of the rule.</param>
internal readonly record struct GrammarElement(ByteSet? Bytes, int Rule)
{
    public static implicit operator GrammarElement(ByteSet bytes) => new(bytes, -1);

    /// <summary>A rule.</summary>
    public static GrammarElement Of(int rule) => new(null, rule);
}

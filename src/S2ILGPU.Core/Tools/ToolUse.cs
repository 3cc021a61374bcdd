using System.Text.Json;
using S2ILGPU.Grammars;
using S2ILGPU.Templates;

namespace S2ILGPU.Tools;

/// <summary>How the text of a model becomes calls of tools. Immutable.</summary>
/// <remarks>A call is text in the answer: <c>{"name": ..., "arguments": {...}}</c>, between <c>&lt;tool_call></c> and
/// <c>&lt;/tool_call></c> where the chat template knows these. A call that must come is held to this form and to the
/// schema of its parameters by a grammar; one that may come is looked for in what the model writes.</remarks>
public sealed class ToolUse
{
    private readonly bool _hasTags;

    private ToolUse(Grammar? grammar, bool hasTags, bool isSingle)
    {
        (Grammar, _hasTags) = (grammar, hasTags);
        Stop = isSingle && grammar is null && hasTags ? [ToolCallReader.Close] : [];
    }

    /// <summary>The schema of a function without parameters.</summary>
    public static JsonElement NoParameters { get; } =
        JsonDocument.Parse("""{"type":"object","additionalProperties":false}""").RootElement;

    /// <summary>What the text must be; null for any text.</summary>
    public Grammar? Grammar { get; }

    /// <summary>Where the text ends, so that there is one call at most.</summary>
    public IReadOnlyList<string> Stop { get; }

    /// <summary>Calls may come. Without tags in the template none is found.</summary>
    /// <param name="template">The template of the model.</param>
    /// <param name="isSingle">Whether there may be one call at most.</param>
    public static ToolUse Auto(ChatTemplate template, bool isSingle)
    {
        ArgumentNullException.ThrowIfNull(template);
        return new ToolUse(null, HasTags(template), isSingle);
    }

    /// <summary>One call of one of the functions must come.</summary>
    /// <param name="template">The template of the model.</param>
    /// <param name="functions">Names, and JSON schemas of the arguments.</param>
    /// <exception cref="ArgumentException">There is no function, or a schema uses what grammars do not know; see <see
    /// cref="Grammar.FromJsonSchema"/>.</exception>
    public static ToolUse Required(ChatTemplate template, IEnumerable<(string Name, JsonElement Parameters)> functions)
    {
        ArgumentNullException.ThrowIfNull(template);
        ArgumentNullException.ThrowIfNull(functions);
        bool hasTags = HasTags(template);
        return new ToolUse(Grammar.FromForms(functions.Select(function => Form(function, hasTags))), hasTags, true);
    }

    /// <summary>What finds the calls in one text; null where the text is all there is.</summary>
    public ToolCallReader? Reader() => Grammar is not null || _hasTags ? new ToolCallReader(_hasTags) : null;

    private static bool HasTags(ChatTemplate template) => template.Mentions(ToolCallReader.Open);

    private static (string, JsonElement, string) Form((string Name, JsonElement Parameters) function, bool hasTags)
    {
        string before = $$"""{"name": "{{JsonEncodedText.Encode(function.Name)}}", "arguments": """ + " ";
        return hasTags ? ($"{ToolCallReader.Open}\n{before}", function.Parameters, "}\n" + ToolCallReader.Close)
            : (before, function.Parameters, "}");
    }
}

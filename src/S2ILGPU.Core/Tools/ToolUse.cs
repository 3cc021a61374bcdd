using System.Buffers;
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
    // What says what a value is: a schema with one of these is taken as it is.
    private static readonly string[] s_kinds =
        ["type", "$ref", "enum", "const", "anyOf", "oneOf", "allOf", "properties"];

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
    /// <param name="functions">Names, and JSON schemas of the arguments, which are an object: a schema that does not
    /// say what it describes, such as <c>{}</c>, is one of any object.</param>
    /// <exception cref="ArgumentException">There is no function, a schema has another type than object, or uses what
    /// grammars do not know; see <see cref="Grammar.FromJsonSchema"/>.</exception>
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
        var schema = ObjectSchema(function.Parameters);
        return hasTags ? ($"{ToolCallReader.Open}\n{before}", schema, "}\n" + ToolCallReader.Close)
            : (before, schema, "}");
    }

    // Of {} and true a grammar would make any value, also one that is no object.
    private static JsonElement ObjectSchema(JsonElement schema)
    {
        if (schema.ValueKind is not (JsonValueKind.Object or JsonValueKind.True))
            return schema;
        bool isObject = schema.ValueKind == JsonValueKind.Object;
        if (isObject && schema.TryGetProperty("type", out var type) && !IsObjectType(type))
            throw new ArgumentException("JSON schema #: the arguments of a function have the type object, got "
                + type.GetRawText());
        if (isObject && s_kinds.Any(keyword => schema.TryGetProperty(keyword, out _)))
            return schema;
        var bytes = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(bytes))
        {
            writer.WriteStartObject();
            writer.WriteString("type", "object");
            if (isObject)
                foreach (var keyword in schema.EnumerateObject())
                    keyword.WriteTo(writer);
            writer.WriteEndObject();
        }
        return JsonDocument.Parse(bytes.WrittenMemory).RootElement;
    }

    private static bool IsObjectType(JsonElement type) =>
        type.ValueKind == JsonValueKind.String && type.ValueEquals("object");
}

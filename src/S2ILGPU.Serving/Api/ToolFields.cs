using System.Text.Json;
using S2ILGPU.Templates;
using S2ILGPU.Tools;

namespace S2ILGPU.Serving.Api;

/// <summary>The fields <c>tools</c>, <c>tool_choice</c> and <c>parallel_tool_calls</c>: what the model may
/// call.</summary>
/// <param name="Tools">What the chat template gets; null for nothing.</param>
/// <param name="Use">How the text becomes calls; null where the text is all there is.</param>
internal sealed record ToolFields(JsonElement? Tools, ToolUse? Use)
{
    /// <summary>No tools.</summary>
    public static ToolFields None { get; } = new(null, null);

    /// <summary>Reads the fields.</summary>
    /// <param name="body">The fields.</param>
    /// <param name="template">The chat template.</param>
    /// <exception cref="ApiException">A field has a wrong type, is out of its range, or is not supported.</exception>
    public static ToolFields Read(RequestBody body, ChatTemplate template)
    {
        foreach (string old in (string[])["functions", "function_call"])
            if (body.Find(old) is not null)
                throw ApiException.Unsupported(old, $"'{old}' is not supported, use 'tools' and 'tool_choice'");
        bool isSingle = body.Find("parallel_tool_calls") is not null && !body.Flag("parallel_tool_calls");
        if (body.Find("tools") is not { } tools)
            return body.Find("tool_choice") is null ? None : throw ApiException.Invalid("tool_choice",
                "'tool_choice' is only allowed when 'tools' are specified");
        if (tools.ValueKind != JsonValueKind.Array)
            throw RequestBody.WrongType("tools", "an array", tools);
        if (tools.GetArrayLength() == 0)
            throw ApiException.Invalid("tools", "'tools' is empty");
        var functions = new Dictionary<string, (int Index, JsonElement Parameters)>();
        foreach (var tool in tools.EnumerateArray())
        {
            var (name, parameters) = Function(tool, $"tools[{functions.Count}]");
            if (!functions.TryAdd(name, (functions.Count, parameters)))
                throw ApiException.Invalid("tools", $"'tools' has two functions '{name}'");
        }
        string? choice = body.Find("tool_choice") is { ValueKind: JsonValueKind.Object } ? Named(body, functions.Keys)
            : body.Text("tool_choice");
        return choice switch
        {
            "none" => None,
            null or "auto" => new ToolFields(tools, ToolUse.Auto(template, isSingle)),
            "required" => new ToolFields(tools, Required(template, functions)),
            _ when functions.TryGetValue(choice, out var function)
                && body.Find("tool_choice") is { ValueKind: JsonValueKind.Object } =>
                new ToolFields(tools, Required(template, new() { [choice] = function })),
            _ => throw ApiException.Invalid("tool_choice",
                $"'tool_choice' must be none, auto, required or a function, got '{Excerpt.Of(choice)}'"),
        };
    }

    private static (string Name, JsonElement Parameters) Function(JsonElement tool, string name)
    {
        if (tool.ValueKind != JsonValueKind.Object)
            throw RequestBody.WrongType(name, "an object", tool);
        var fields = new RequestBody(tool, name);
        string type = fields.Text("type") ?? throw ApiException.Invalid(name, $"'{name}.type' is missing");
        if (type != "function")
            throw ApiException.Unsupported(name,
                $"'{name}' has the type '{Excerpt.Of(type)}', only function is supported");
        var function = fields.Inner("function") ?? throw ApiException.Invalid(name, $"'{name}.function' is missing");
        return (function.Name("name"), function.Find("parameters") ?? ToolUse.NoParameters);
    }

    private static string Named(RequestBody body, IEnumerable<string> known)
    {
        var choice = body.Inner("tool_choice")!;
        string type = choice.Text("type")
            ?? throw ApiException.Invalid("tool_choice", "'tool_choice.type' is missing");
        if (type != "function")
            throw ApiException.Unsupported("tool_choice",
                $"'tool_choice' has the type '{Excerpt.Of(type)}', only function is supported");
        string name = choice.Inner("function")?.Text("name")
            ?? throw ApiException.Invalid("tool_choice", "'tool_choice.function.name' is missing");
        return known.Contains(name) ? name
            : throw ApiException.Invalid("tool_choice",
                $"'tool_choice' names '{Excerpt.Of(name)}', which is not in 'tools'");
    }

    // One call of one of the functions.
    private static ToolUse Required(ChatTemplate template,
        Dictionary<string, (int Index, JsonElement Parameters)> functions)
    {
        foreach (var (name, (index, parameters)) in functions)
            try
            {
                ToolUse.Required(template, [(name, parameters)]);
            }
            catch (ArgumentException e)
            {
                throw ApiException.Invalid("tools",
                    $"Invalid schema in 'tools[{index}].function.parameters': "
                    + Excerpt.OfReason(e.Message));
            }
        return ToolUse.Required(template, functions.Select(function => (function.Key, function.Value.Parameters)));
    }
}

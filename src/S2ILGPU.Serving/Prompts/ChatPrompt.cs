using System.Collections;
using System.Text.Json;
using S2ILGPU.Serving.Api;
using S2ILGPU.Templates;

namespace S2ILGPU.Serving.Prompts;

/// <summary>The field <c>messages</c> of a chat, as token ids.</summary>
internal static class ChatPrompt
{
    /// <param name="body">The fields.</param>
    /// <param name="server">Its chat template and tokenizer.</param>
    /// <param name="tools">What the template is told that the model may call; null for nothing.</param>
    public static int[] Read(RequestBody body, ModelServer server, JsonElement? tools)
    {
        if (body.Find("messages") is not { } messages)
            throw ApiException.Invalid("messages", "'messages' is missing");
        if (messages.ValueKind != JsonValueKind.Array)
            throw RequestBody.WrongType("messages", "an array", messages);
        if (messages.GetArrayLength() == 0)
            throw ApiException.Invalid("messages", "'messages' is empty");
        var chat = server.Options.Chat;
        string text = Render(chat, messages.EnumerateArray().Select(Message).ToList(), tools);
        int[] tokens = server.Pretrained.Tokenizer.Encode(text, chat.HasSpecialTokens,
            addSpecial: !chat.HasSpecialTokens);
        return tokens.Length > 0 ? tokens : throw ApiException.Invalid("messages", "the chat template gives no text");
    }

    private static string Render(ChatTemplate chat, List<object?> messages, JsonElement? tools)
    {
        try
        {
            return chat.Render(messages, tools);
        }
        catch (TemplateException e)
        {
            throw ApiException.Invalid("messages", e.IsRaised ? e.Message : $"the chat template fails: {e.Message}");
        }
    }

    // The message as it is, with its parts of text joined.
    private static object? Message(JsonElement message, int index)
    {
        string name = $"messages[{index}]";
        if (message.ValueKind != JsonValueKind.Object)
            throw RequestBody.WrongType(name, "an object", message);
        var fields = new RequestBody(message, name);
        string role = fields.Text("role") ?? throw ApiException.Invalid(name, $"'{name}.role' is missing");
        if (role == "tool" && fields.Text("tool_call_id") is null)
            throw ApiException.Invalid(name, $"'{name}.tool_call_id' is missing");
        var value = (IDictionary)JinjaTemplate.Value(message)!;
        if (fields.Find("content") is { ValueKind: JsonValueKind.Array } parts)
            value["content"] = string.Concat(parts.EnumerateArray().Select(part => Part(part, $"{name}.content")));
        else if (fields.Find("content") is { ValueKind: not JsonValueKind.String } content)
            throw RequestBody.WrongType($"{name}.content", "a string or an array of parts", content);
        else if (fields.Find("content") is null && (role != "assistant" || fields.Find("tool_calls") is null))
            throw ApiException.Invalid(name, $"'{name}.content' is missing");
        if (fields.Find("tool_calls") is { } calls)
            value["tool_calls"] = Calls(calls, $"{name}.tool_calls");
        return value;
    }

    // Earlier calls. Templates write arguments as JSON, so they get the value that the text stands for.
    private static List<object?> Calls(JsonElement calls, string name)
    {
        if (calls.ValueKind != JsonValueKind.Array)
            throw RequestBody.WrongType(name, "an array", calls);
        var values = new List<object?>();
        foreach (var call in calls.EnumerateArray())
        {
            string path = $"{name}[{values.Count}]";
            if (call.ValueKind != JsonValueKind.Object)
                throw RequestBody.WrongType(path, "an object", call);
            var function = new RequestBody(call, path).Inner("function")
                ?? throw ApiException.Invalid(path, $"'{path}.function' is missing");
            function.Name("name");
            var value = (IDictionary)JinjaTemplate.Value(call)!;
            ((IDictionary)value["function"]!)["arguments"] = Arguments(function, $"{path}.function.arguments");
            values.Add(value);
        }
        return values;
    }

    private static object? Arguments(RequestBody function, string name)
    {
        try
        {
            using var document = JsonDocument.Parse(function.Text("arguments")
                ?? throw ApiException.Invalid(name, $"'{name}' is missing"));
            return JinjaTemplate.Value(document.RootElement);
        }
        catch (JsonException e)
        {
            throw ApiException.Invalid(name, $"'{name}' is not JSON: {RequestBody.Fault(e)}");
        }
        catch (InvalidOperationException)
        {
            throw ApiException.Invalid(name, $"'{name}' has half of a surrogate pair");
        }
    }

    private static string Part(JsonElement part, string name)
    {
        if (part.ValueKind != JsonValueKind.Object)
            throw RequestBody.WrongType(name, "an array of objects", part);
        var fields = new RequestBody(part, name);
        if (fields.Text("type") is not "text" and var type)
            throw ApiException.Unsupported(name,
                $"'{name}' has a part of type '{Excerpt.Of(type ?? "null")}', only text is "
                + "supported");
        return fields.Text("text") ?? throw ApiException.Invalid(name, $"'{name}' has a part without text");
    }
}

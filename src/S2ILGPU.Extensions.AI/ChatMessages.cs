using System.Text.Json;
using Microsoft.Extensions.AI;
using S2ILGPU.Templates;

namespace S2ILGPU.Extensions.AI;

/// <summary>Messages as chat templates read them, in OpenAI's form.</summary>
internal static class ChatMessages
{
    /// <summary>The values of some messages.</summary>
    /// <exception cref="NotSupportedException">A message has content other than text, calls and results.</exception>
    public static List<object?> Values(IEnumerable<ChatMessage> messages) => [.. messages.SelectMany(Values)];

    // Results are messages of their own, so several of them become several messages.
    private static IEnumerable<object?> Values(ChatMessage message)
    {
        var other = message.Contents.FirstOrDefault(content =>
            content is not (TextContent or UsageContent or FunctionCallContent or FunctionResultContent));
        if (other is not null)
            throw new NotSupportedException(
                $"a message has {other.GetType().Name}, only text, calls of functions and their results are supported");
        var calls = message.Contents.OfType<FunctionCallContent>().Select(Call).ToList();
        var results = message.Contents.OfType<FunctionResultContent>().Select(Result).ToList();
        if (results.Count == 0 || calls.Count > 0 || message.Text.Length > 0)
        {
            var value = Members(("role", message.Role.Value), ("content", message.Text));
            if (calls.Count > 0)
                value["tool_calls"] = calls;
            yield return value;
        }
        foreach (object? result in results)
            yield return result;
    }

    // Templates write arguments as JSON, so they get values.
    private static object? Call(FunctionCallContent call) => Members(("id", call.CallId), ("type", "function"),
        ("function", Members(("name", call.Name), ("arguments",
        JinjaTemplate.Value(Json(call.Arguments ?? new Dictionary<string, object?>()))))));

    private static object? Result(FunctionResultContent result) => Members(("role", ChatRole.Tool.Value),
        ("tool_call_id", result.CallId), ("content", TextOf(result.Result)));

    private static string TextOf(object? result) => result switch
    {
        null => "",
        string text => text,
        JsonElement { ValueKind: JsonValueKind.String } text => text.GetString()!,
        _ => JsonSerializer.Serialize(result, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(object))),
    };

    private static JsonElement Json(IDictionary<string, object?> arguments) => JsonSerializer.SerializeToElement(
        arguments, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(IDictionary<string, object?>)));

    private static OrderedDictionary<object, object?> Members(params ReadOnlySpan<(string Name, object? Value)> members)
    {
        var value = new OrderedDictionary<object, object?>();
        foreach (var (name, member) in members)
            value.Add(name, member);
        return value;
    }
}

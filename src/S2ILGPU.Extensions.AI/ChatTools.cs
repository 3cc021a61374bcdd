using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;
using S2ILGPU.Templates;
using S2ILGPU.Tools;

namespace S2ILGPU.Extensions.AI;

/// <summary>The options <c>Tools</c>, <c>ToolMode</c> and <c>AllowMultipleToolCalls</c>: what the model may
/// call.</summary>
/// <param name="Described">What the chat template gets, in OpenAI's form; null for nothing.</param>
/// <param name="Use">How the text becomes calls; null where the text is all there is.</param>
internal sealed record ChatTools(JsonElement? Described, ToolUse? Use)
{
    /// <summary>Reads the options.</summary>
    /// <exception cref="NotSupportedException">A tool is not a function, or the options have a response format as
    /// well.</exception>
    /// <exception cref="ArgumentException">Two functions have one name, a call is demanded of a function that is not
    /// there, or its schema uses what grammars do not know.</exception>
    public static ChatTools Read(ChatOptions options, ChatTemplate template)
    {
        var functions = (options.Tools ?? []).Select(Function).ToList();
        if (functions.GroupBy(function => function.Name).FirstOrDefault(group => group.Count() > 1) is { } same)
            throw new ArgumentException($"ChatOptions.Tools has two functions '{same.Key}'");
        var demanded = options.ToolMode is RequiredChatToolMode mode ? Demanded(functions, mode) : null;
        if (functions.Count == 0 || options.ToolMode is NoneChatToolMode)
            return new ChatTools(null, null);
        if (options.ResponseFormat is ChatResponseFormatJson)
            throw new NotSupportedException(
                "ChatOptions.ResponseFormat together with ChatOptions.Tools is not supported");
        return new ChatTools(Describe(functions), demanded is null
            ? ToolUse.Auto(template, isSingle: options.AllowMultipleToolCalls == false)
            : ToolUse.Required(template, demanded.Select(function => (function.Name, function.JsonSchema))));
    }

    private static AIFunctionDeclaration Function(AITool tool) => tool as AIFunctionDeclaration
        ?? throw new NotSupportedException(
            $"ChatOptions.Tools has {tool.GetType().Name}, only functions are supported");

    private static List<AIFunctionDeclaration> Demanded(List<AIFunctionDeclaration> functions,
        RequiredChatToolMode mode)
    {
        string? name = mode.RequiredFunctionName;
        var demanded = functions.FindAll(function => name is null || function.Name == name);
        return demanded.Count > 0 ? demanded : throw new ArgumentException(name is null
            ? "ChatOptions.ToolMode demands a call, but ChatOptions.Tools is empty"
            : $"ChatOptions.ToolMode demands a call of '{name}', which is not in ChatOptions.Tools");
    }

    private static JsonElement Describe(List<AIFunctionDeclaration> functions)
    {
        var tools = new JsonArray([.. functions.Select(function => new JsonObject
        {
            ["type"] = "function",
            ["function"] = new JsonObject
            {
                ["name"] = function.Name,
                ["description"] = function.Description,
                ["parameters"] = JsonNode.Parse(function.JsonSchema.GetRawText()),
            },
        })]);
        using var document = JsonDocument.Parse(tools.ToJsonString());
        return document.RootElement.Clone();
    }
}

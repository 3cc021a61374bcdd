using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;
using S2ILGPU.Tools;

namespace S2ILGPU.Extensions.AI;

/// <summary>The text of a model as contents: text as it comes, calls of functions at the end.</summary>
/// <param name="reader">What finds calls; null where text is all there is.</param>
internal sealed class ChatAnswer(ToolCallReader? reader)
{
    private readonly List<(string Id, string Name, StringBuilder Arguments)> _calls = [];

    /// <summary>Takes a piece of the model's text and returns what is certain to be the answer's.</summary>
    /// <param name="text">The piece.</param>
    /// <param name="isLast">Whether nothing follows.</param>
    public string Read(string text, bool isLast)
    {
        if (reader is null)
            return text;
        var piece = reader.Read(text, isLast);
        foreach (var call in piece.Calls)
            if (call is { Id: { } id, Name: { } name })
                _calls.Add((id, name, new StringBuilder(call.Arguments)));
            else
                _calls[call.Index].Arguments.Append(call.Arguments);
        return piece.Content;
    }

    /// <summary>The calls of the text that was read. Those whose arguments are not an object are left out: they were
    /// cut off, and a function must not run with a part of its arguments.</summary>
    public IEnumerable<FunctionCallContent> Calls()
    {
        foreach (var (id, name, arguments) in _calls)
            if (Parse(arguments.ToString()) is { } parsed)
                yield return new FunctionCallContent(id, name, parsed);
    }

    private static IDictionary<string, object?>? Parse(string arguments)
    {
        try
        {
            return (IDictionary<string, object?>?)JsonSerializer.Deserialize(arguments,
                AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(IDictionary<string, object?>)));
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

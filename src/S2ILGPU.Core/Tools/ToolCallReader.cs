using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace S2ILGPU.Tools;

/// <summary>Finds calls in a text that comes piece by piece: a name as soon as it is certain, then its arguments as
/// they come. What is not a call stays text.</summary>
/// <remarks>For one text, by one thread at a time.</remarks>
/// <param name="hasTags">Whether calls stand between tags; otherwise the whole text is one call.</param>
public sealed partial class ToolCallReader(bool hasTags)
{
    /// <summary>What stands before a call.</summary>
    public const string Open = "<tool_call>";

    /// <summary>What stands after a call.</summary>
    public const string Close = "</tool_call>";

    private readonly JsonEnd _end = new();
    private string _held = "";
    private Place _place = hasTags ? Place.Text : Place.Head;

    private enum Place
    {
        Text,
        Head,
        Arguments,
        Tail,
    }

    /// <summary>Number of calls that began.</summary>
    public int Calls { get; private set; }

    /// <summary>Takes a piece and returns what is certain now.</summary>
    /// <param name="text">The piece.</param>
    /// <param name="isLast">Whether nothing follows.</param>
    public AnswerPiece Read(string text, bool isLast)
    {
        ArgumentNullException.ThrowIfNull(text);
        _held += text;
        var content = new StringBuilder();
        var calls = new List<ToolCallPiece>();
        while (Advance(content, calls, isLast)) { }
        return new AnswerPiece(content.ToString(), calls);
    }

    // Goes from one place to the next; false where the text at hand ends before.
    private bool Advance(StringBuilder content, List<ToolCallPiece> calls, bool isLast)
    {
        switch (_place)
        {
            case Place.Text:
                return ReadText(content, isLast);
            case Place.Head:
                return ReadHead(content, calls, isLast);
            case Place.Arguments:
                int end = _end.Find(_held, out bool isWhole);
                calls.Add(calls is [.., var last] && last.Index == Calls - 1 ? Take(calls, last, _held[..end])
                    : new ToolCallPiece(Calls - 1, null, null, _held[..end]));
                _held = _held[end..];
                _place = isWhole ? Place.Tail : Place.Arguments;
                return isWhole;
            default:
                int at = _held.IndexOf(Close, StringComparison.Ordinal);
                if (at < 0)
                    return false;
                _held = _held[(at + Close.Length)..].TrimStart();
                _place = Place.Text;
                return true;
        }
    }

    private static ToolCallPiece Take(List<ToolCallPiece> calls, ToolCallPiece last, string arguments)
    {
        calls.RemoveAt(calls.Count - 1);
        return last with { Arguments = last.Arguments + arguments };
    }

    private bool ReadText(StringBuilder content, bool isLast)
    {
        if (Calls > 0)
            _held = _held.TrimStart(); // line ends between calls
        int at = _held.IndexOf(Open, StringComparison.Ordinal);
        int certain = at >= 0 ? at : isLast ? _held.Length : _held.Length - Suspect();
        content.Append(_held, 0, certain);
        _held = _held[(at >= 0 ? at + Open.Length : certain)..];
        if (at >= 0)
            _place = Place.Head;
        return at >= 0;
    }

    private bool ReadHead(StringBuilder content, List<ToolCallPiece> calls, bool isLast)
    {
        if (Head().Match(_held) is { Success: true } head && Name(head.Groups[1].Value) is { } name)
        {
            calls.Add(Begin(name, ""));
            _held = _held[head.Length..];
            _end.Restart();
            _place = Place.Arguments;
            return true;
        }
        int at = hasTags ? _held.IndexOf(Close, StringComparison.Ordinal) : -1;
        if (at < 0 && !isLast)
            return false;
        string text = at < 0 ? _held : _held[..at];
        // members in another order, or arguments as text
        if (Whole(text) is var (callName, arguments))
            calls.Add(Begin(callName, arguments));
        else
            content.Append(hasTags ? Open : "").Append(at < 0 ? text : text + Close);
        _held = at < 0 ? "" : _held[(at + Close.Length)..];
        _place = Place.Text;
        return at >= 0;
    }

    private ToolCallPiece Begin(string name, string arguments) =>
        new(Calls++, $"call_{Guid.NewGuid().ToString("N")[..24]}", name, arguments);

    private static string? Name(string literal)
    {
        try
        {
            return JsonDocument.Parse(literal).RootElement.GetString();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static (string Name, string Arguments)? Whole(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            var call = document.RootElement;
            if (call.ValueKind != JsonValueKind.Object || !call.TryGetProperty("name", out var name)
                || name.ValueKind != JsonValueKind.String)
                return null;
            return (name.GetString()!, !call.TryGetProperty("arguments", out var arguments) ? "{}"
                : arguments.ValueKind == JsonValueKind.String ? arguments.GetString()! : arguments.GetRawText());
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    // Characters at the end that may be the beginning of a tag.
    private int Suspect()
    {
        int count = Math.Min(_held.Length, Open.Length - 1);
        while (count > 0 && !_held.EndsWith(Open[..count], StringComparison.Ordinal))
            count--;
        return count;
    }

    [GeneratedRegex("""^\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*(?=\{)""")]
    private static partial Regex Head();
}

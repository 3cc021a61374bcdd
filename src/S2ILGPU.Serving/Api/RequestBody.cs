using System.Text.Json;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;

namespace S2ILGPU.Serving.Api;

/// <summary>The JSON object that a request carries, or one inside it. Fields that are null count as left out; a field
/// of a wrong type is refused by name.</summary>
/// <param name="root">The object.</param>
/// <param name="path">Where it stands in the body; empty for the body itself.</param>
internal sealed class RequestBody(JsonElement root, string path = "")
{
    /// <summary>Reads the body.</summary>
    /// <param name="request">The request.</param>
    /// <param name="maxBytes">The most bytes.</param>
    /// <exception cref="ApiException">It is compressed, too large, not UTF-8, or not a JSON object.</exception>
    public static async Task<JsonDocument> ReadAsync(HttpRequest request, int maxBytes)
    {
        if (request.Headers.ContentEncoding.ToString() is { Length: > 0 } encoding
            && !encoding.Equals("identity", StringComparison.OrdinalIgnoreCase))
            throw new ApiException(415,
                $"Content-Encoding '{Excerpt.Of(encoding)}' is not supported, send the body as it is");
        if (request.ContentLength > maxBytes)
            throw ApiException.BodyTooLarge(maxBytes);
        using var bytes = new MemoryStream();
        byte[] buffer = new byte[16384];
        while (await request.Body.ReadAsync(buffer, request.HttpContext.RequestAborted) is > 0 and var count)
        {
            if (bytes.Length + count > maxBytes)
                throw ApiException.BodyTooLarge(maxBytes);
            bytes.Write(buffer, 0, count);
        }
        return Parse(bytes.ToArray());
    }

    /// <summary>The field; null where it is left out.</summary>
    public JsonElement? Find(string name) =>
        root.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public string? Text(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        { } value => throw WrongType(At(name), "a string", value),
    };

    /// <summary>A name that must be there: letters, digits, - and _, at most 64.</summary>
    /// <param name="name">The field.</param>
    public string Name(string name)
    {
        string text = Text(name) ?? throw ApiException.Invalid(At(name), $"'{At(name)}' is missing");
        return text.Length is > 0 and <= 64 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_') ? text
            : throw ApiException.Invalid(At(name),
                $"'{At(name)}' must be 1 to 64 letters, digits, - and _, got '{Excerpt.Of(text)}'");
    }

    public bool Flag(string name) => Find(name) switch
    {
        null => false,
        { ValueKind: JsonValueKind.True or JsonValueKind.False } value => value.GetBoolean(),
        { } value => throw WrongType(At(name), "true or false", value),
    };

    public float? Number(string name, double least, double most)
    {
        if (Find(name) is not { } value)
            return null;
        if (value.ValueKind != JsonValueKind.Number)
            throw WrongType(At(name), "a number", value);
        double number = value.GetDouble();
        return number >= least && number <= most ? (float)number : throw OutOfRange(At(name), $"{least} to {most}",
            value);
    }

    public long? Integer(string name, long least, long most)
    {
        if (Find(name) is not { } value)
            return null;
        if (value.ValueKind != JsonValueKind.Number)
            throw WrongType(At(name), "an integer", value);
        return IsWhole(value, out decimal number) && number >= least && number <= most ? (long)number
            : throw OutOfRange(At(name), $"an integer from {least} to {most}", value);
    }

    // JSON has one kind of number: 5.0 and 5e0 are 5, and some clients write all numbers so.
    private static bool IsWhole(JsonElement value, out decimal number) =>
        value.TryGetDecimal(out number) && number == decimal.Truncate(number);

    /// <summary>An object inside; null where it is left out.</summary>
    public RequestBody? Inner(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } value => new RequestBody(value, At(name)),
        { } value => throw WrongType(At(name), "an object", value),
    };

    public static ApiException WrongType(string name, string expected, JsonElement got) =>
        ApiException.Invalid(name, $"'{name}' must be {expected}, got {Kind(got)}");

    /// <summary>Where a text is not JSON.</summary>
    public static string Fault(JsonException e) => $"fault at line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}";

    private string At(string name) => path.Length == 0 ? name : $"{path}.{name}";

    private static ApiException OutOfRange(string name, string expected, JsonElement got) =>
        ApiException.Invalid(name, $"'{name}' must be {expected}, got {Excerpt.Of(got.GetRawText())}");

    private static JsonDocument Parse(byte[] body)
    {
        // Some programs begin UTF-8 with a byte order mark.
        var bytes = body.AsMemory(body.AsSpan().StartsWith("\uFEFF"u8) ? "\uFEFF"u8.Length : 0);
        if (bytes.Length == 0)
            throw new ApiException(400, "the body is empty");
        if (!Utf8.IsValid(bytes.Span))
            throw new ApiException(400, "the body is not UTF-8");
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(bytes);
        }
        catch (JsonException e)
        {
            throw new ApiException(400, $"the body is not JSON: {Fault(e)}");
        }
        try
        {
            Check(document.RootElement);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document
                : throw new ApiException(400, $"the body must be an object, got {Kind(document.RootElement)}");
        }
        catch
        {
            document.Dispose();
            throw;
        }
    }

    // An escape such as \ud800 alone is JSON and stands for no text; .NET finds it when the string is read. Of a name
    // that stands twice it would take the last.
    private static void Check(JsonElement value)
    {
        try
        {
            if (value.ValueKind == JsonValueKind.String)
                value.GetString();
            else if (value.ValueKind == JsonValueKind.Array)
                foreach (var item in value.EnumerateArray())
                    Check(item);
            else if (value.ValueKind == JsonValueKind.Object)
            {
                var names = new HashSet<string>();
                foreach (var property in value.EnumerateObject())
                {
                    if (!names.Add(property.Name))
                        throw new ApiException(400,
                            $"the name '{Excerpt.Of(property.Name)}' stands twice in one object");
                    Check(property.Value);
                }
            }
        }
        catch (InvalidOperationException)
        {
            throw new ApiException(400, "a string of the body has half of a surrogate pair");
        }
    }

    private static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "a boolean",
    };
}

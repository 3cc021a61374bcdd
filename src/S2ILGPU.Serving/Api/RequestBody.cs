using System.Text.Json;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;

namespace S2ILGPU.Serving.Api;

/// <summary>The JSON object that a request carries. Fields that are null count as left out; a field of a wrong type is
/// refused by name.</summary>
internal sealed class RequestBody(JsonElement root)
{
    /// <summary>Reads the body.</summary>
    /// <param name="request">The request.</param>
    /// <param name="maxBytes">The most bytes.</param>
    /// <exception cref="ApiException">It is too large, not UTF-8, or not a JSON object.</exception>
    public static async Task<JsonDocument> ReadAsync(HttpRequest request, int maxBytes)
    {
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
        { } value => throw WrongType(name, "a string", value),
    };

    /// <summary>A name that must be there: letters, digits, - and _, at most 64.</summary>
    /// <param name="name">The field.</param>
    /// <param name="path">Where it stands in the body.</param>
    public string Name(string name, string path)
    {
        string text = Text(name) ?? throw ApiException.Invalid(path, $"'{path}' is missing");
        return text.Length is > 0 and <= 64 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_') ? text
            : throw ApiException.Invalid(path, $"'{path}' must be 1 to 64 letters, digits, - and _, got '{text}'");
    }

    public bool Flag(string name) => Find(name) switch
    {
        null => false,
        { ValueKind: JsonValueKind.True or JsonValueKind.False } value => value.GetBoolean(),
        { } value => throw WrongType(name, "true or false", value),
    };

    public float? Number(string name, double least, double most)
    {
        if (Find(name) is not { } value)
            return null;
        if (value.ValueKind != JsonValueKind.Number)
            throw WrongType(name, "a number", value);
        double number = value.GetDouble();
        return number >= least && number <= most ? (float)number : throw OutOfRange(name, $"{least} to {most}", value);
    }

    public long? Integer(string name, long least, long most)
    {
        if (Find(name) is not { } value)
            return null;
        if (value.ValueKind != JsonValueKind.Number)
            throw WrongType(name, "an integer", value);
        return value.TryGetInt64(out long number) && number >= least && number <= most ? number
            : throw OutOfRange(name, $"an integer from {least} to {most}", value);
    }

    /// <summary>An object inside; null where it is left out.</summary>
    public RequestBody? Inner(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } value => new RequestBody(value),
        { } value => throw WrongType(name, "an object", value),
    };

    public static ApiException WrongType(string name, string expected, JsonElement got) =>
        ApiException.Invalid(name, $"'{name}' must be {expected}, got {Kind(got)}");

    private static ApiException OutOfRange(string name, string expected, JsonElement got) =>
        ApiException.Invalid(name, $"'{name}' must be {expected}, got {got.GetRawText()}");

    private static JsonDocument Parse(byte[] bytes)
    {
        if (!Utf8.IsValid(bytes))
            throw new ApiException(400, "the body is not UTF-8");
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(bytes, new JsonDocumentOptions { AllowDuplicateProperties = false });
        }
        catch (JsonException e)
        {
            throw new ApiException(400, $"the body is not JSON: {e.Message}");
        }
        try
        {
            CheckStrings(document.RootElement);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document
                : throw new ApiException(400, $"the body must be an object, got {Kind(document.RootElement)}");
        }
        catch
        {
            document.Dispose();
            throw;
        }
    }

    // An escape such as \ud800 alone is JSON and stands for no text; .NET finds it when the string is read.
    private static void CheckStrings(JsonElement value)
    {
        try
        {
            if (value.ValueKind == JsonValueKind.String)
                value.GetString();
            else if (value.ValueKind == JsonValueKind.Array)
                foreach (var item in value.EnumerateArray())
                    CheckStrings(item);
            else if (value.ValueKind == JsonValueKind.Object)
                foreach (var property in value.EnumerateObject())
                {
                    _ = property.Name;
                    CheckStrings(property.Value);
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

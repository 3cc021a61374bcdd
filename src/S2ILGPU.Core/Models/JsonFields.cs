using System.Text.Json;

namespace S2ILGPU.Models;

/// <summary>The fields of a JSON object, with messages that name file, field and value.</summary>
internal readonly struct JsonFields
{
    private readonly string _file, _path;
    private readonly JsonElement _object;

    public JsonFields(string file, string path, JsonElement element)
    {
        (_file, _path, _object) = (file, path, element);
        if (element.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException(
                $"{file}: {(path.Length == 0 ? "the document" : path)} must be an object, got {Short(element)}");
    }

    /// <summary>The value of a field; null where it is absent or null.</summary>
    public JsonElement? Optional(string name) =>
        _object.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public JsonFields Object(string name, JsonElement value) => new(_file, Path(name), value);

    public int Integer(string name, int? absent = null)
    {
        if (Required(name, absent is null) is not { } value)
            return absent!.Value;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int integer) ? integer
            : throw Wrong(name, "an integer", value);
    }

    public double Number(string name, double absent)
    {
        if (Optional(name) is not { } value)
            return absent;
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number)
            && double.IsFinite(number)
            ? number
            : throw Wrong(name, "a finite number", value);
    }

    public bool Boolean(string name, bool absent)
    {
        if (Optional(name) is not { } value)
            return absent;
        return value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
            : throw Wrong(name, "true or false", value);
    }

    public string Text(string name, string? absent, params ReadOnlySpan<string> allowed)
    {
        if (Required(name, absent is null) is not { } value)
            return absent!;
        foreach (string text in allowed)
            if (value.ValueKind == JsonValueKind.String && value.ValueEquals(text))
                return text;
        throw Wrong(name, $"\"{string.Join("\" or \"", allowed.ToArray())}\"", value);
    }

    /// <summary>Refuses fields that nobody knows.</summary>
    public void Only(params ReadOnlySpan<string> names)
    {
        foreach (var property in _object.EnumerateObject())
            if (!names.Contains(property.Name))
                throw new InvalidDataException(
                    $"{_file}: {Path(Short(property.Name))} is unknown; known are {string.Join(", ", names.ToArray())}");
    }

    public InvalidDataException Wrong(string name, string expected, object value) =>
        new($"{_file}: {Path(name)} must be {expected}, got {(value is JsonElement element ? Short(element) : value)}");

    private JsonElement? Required(string name, bool required)
    {
        var value = Optional(name);
        return value is null && required ? throw new InvalidDataException($"{_file}: {Path(name)} is missing") : value;
    }

    private string Path(string name) => _path.Length == 0 ? name : $"{_path}.{name}";

    private static string Short(JsonElement element) => Short(element.GetRawText());

    private static string Short(string text) => text.Length <= 40 ? text : text[..40] + "...";
}

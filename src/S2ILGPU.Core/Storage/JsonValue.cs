using System.Globalization;
using System.Text.Json;
using System.Text.Unicode;

namespace S2ILGPU.Storage;

/// <summary>A value of a JSON document that knows its file and its place there: whoever reads it with the wrong
/// expectation gets a message with file, field, expectation and value.</summary>
/// <remarks>The one way to read JSON. A document is read inside <see cref="Parse"/> or <see cref="Read"/>, its values
/// do not outlive the call. A byte order mark is skipped, a name that an object holds twice is refused.</remarks>
internal readonly struct JsonValue
{
    private const int MaxQuoted = 80;

    private readonly JsonElement _element;
    private readonly string _file, _parent;
    private readonly string? _name;
    private readonly int _index;

    private JsonValue(JsonElement element, string file, string parent, string? name, int index = 0) =>
        (_element, _file, _parent, _name, _index) = (element, file, parent, name, index);

    /// <summary>Reads a JSON file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="content">What it should hold, as in <c>a configuration</c>.</param>
    /// <param name="maxBytes">The most bytes that it may have.</param>
    /// <param name="read">Turns the document into what is wanted.</param>
    /// <exception cref="InvalidDataException">As for <see cref="Parse"/>, or the file is longer.</exception>
    /// <exception cref="FileNotFoundException">The file does not exist or is a folder.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static T Read<T>(string path, string content, int maxBytes, Func<JsonValue, T> read) =>
        Parse(FileContent.Read(path, content, maxBytes), path, read);

    /// <summary>Reads JSON text.</summary>
    /// <param name="utf8">The text, with or without a byte order mark.</param>
    /// <param name="file">Where it comes from, the beginning of every message.</param>
    /// <param name="read">Turns the document into what is wanted.</param>
    /// <exception cref="InvalidDataException">The text is not UTF-8 or not JSON, or <paramref name="read"/> found
    /// something else than it expects.</exception>
    public static T Parse<T>(ReadOnlyMemory<byte> utf8, string file, Func<JsonValue, T> read)
    {
        if (utf8.Span.StartsWith("\uFEFF"u8))
            utf8 = utf8[3..];
        if (!Utf8.IsValid(utf8.Span))
            throw new InvalidDataException($"{file}: not valid UTF-8");
        try
        {
            using var document = JsonDocument.Parse(utf8, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return read(new JsonValue(document.RootElement, file, "", null));
        }
        catch (JsonException e) when (e.InnerException is not InvalidOperationException)
        {
            throw new InvalidDataException($"{file}: not valid JSON: {JsonDiagnosis.Explain(utf8.Span, e)}", e);
        }
        catch (Exception e) when (e is InvalidOperationException or JsonException)
        {
            // Kinds are checked before values are read, so this is the one thing that the JSON check does not see.
            throw new InvalidDataException($"{file}: a string holds an escape that is no character", e);
        }
    }

    /// <summary>Where the value stands, as in <c>layers[2].kind</c>; empty for the document itself.</summary>
    public string Path => _name is null
        ? _parent
        : _name.Length == 0 ? string.Create(CultureInfo.InvariantCulture, $"{_parent}[{_index}]")
        : _parent.Length == 0 ? _name : $"{_parent}.{_name}";

    /// <summary>The value itself, for readers that report in their own words.</summary>
    public JsonElement Element => _element;

    public bool IsNull => _element.ValueKind == JsonValueKind.Null;

    public bool IsObject => _element.ValueKind == JsonValueKind.Object;

    public bool IsArray => _element.ValueKind == JsonValueKind.Array;

    public bool IsText => _element.ValueKind == JsonValueKind.String;

    public bool IsNumber => _element.ValueKind == JsonValueKind.Number;

    public bool IsTrue => _element.ValueKind == JsonValueKind.True;

    public bool IsFalse => _element.ValueKind == JsonValueKind.False;

    /// <summary>The value under another name for messages.</summary>
    public JsonValue Named(string path) => new(_element, _file, path, null);

    // ---- members and items ----

    /// <summary>A member; null where it is absent or null.</summary>
    public JsonValue? Find(string name) =>
        Object()._element.TryGetProperty(name, out var value)
        && value.ValueKind != JsonValueKind.Null ? new JsonValue(value, _file, Path, name) : null;

    /// <summary>A member that must be there and not null.</summary>
    public JsonValue Member(string name) => Find(name)
        ?? throw new InvalidDataException($"{_file}: {new JsonValue(default, _file, Path, name).Path} is missing");

    /// <summary>All members in the order of the file.</summary>
    public IEnumerable<(string Name, JsonValue Value)> Members()
    {
        var (file, path) = (_file, Path);
        return Object()._element.EnumerateObject()
            .Select(member => (member.Name, new JsonValue(member.Value, file, path, member.Name)));
    }

    /// <summary>All items of an array.</summary>
    public IEnumerable<JsonValue> Items()
    {
        var (file, path) = (_file, Path);
        return Array()._element.EnumerateArray().Select((item, i) => new JsonValue(item, file, path, "", i));
    }

    /// <summary>Number of items of an array.</summary>
    public int Count => Array()._element.GetArrayLength();

    /// <summary>Refuses members that are not named here.</summary>
    public void Only(params ReadOnlySpan<string> names)
    {
        foreach (var (name, value) in Members())
            if (!names.Contains(name))
                throw value.Bad($"is unknown; known are {string.Join(", ", names.ToArray())}");
    }

    // ---- values ----

    /// <summary>The value itself, which must be an object.</summary>
    public JsonValue Object() => IsObject ? this : throw Wrong("an object");

    /// <summary>The value itself, which must be an array.</summary>
    public JsonValue Array() => IsArray ? this : throw Wrong("an array");

    public int Integer() => IsNumber && _element.TryGetInt32(out int number) ? number : throw Wrong("an integer");

    public long Long() => LongOrNull() ?? throw Wrong("an integer");

    /// <summary>The value as a 64-bit integer; null where it is none.</summary>
    public long? LongOrNull() => IsNumber && _element.TryGetInt64(out long number) ? number : null;

    public double Number() => IsNumber && _element.TryGetDouble(out double number) && double.IsFinite(number)
        ? number : throw Wrong("a finite number");

    public bool Boolean() => _element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong("true or false"),
    };

    public string Text() => IsText ? _element.GetString()! : throw Wrong("a string");

    /// <summary>A text that must be one of a few.</summary>
    public string OneOf(params ReadOnlySpan<string> allowed)
    {
        foreach (string text in allowed)
            if (IsText && _element.ValueEquals(text))
                return text;
        throw Wrong($"\"{string.Join("\" or \"", allowed.ToArray())}\"");
    }

    // ---- members with a type ----

    public int Integer(string name, int? absent = null) =>
        absent is { } value && Find(name) is null ? value : Member(name).Integer();

    public long Long(string name, long? absent = null) =>
        absent is { } value && Find(name) is null ? value : Member(name).Long();

    public double Number(string name, double? absent = null) =>
        absent is { } value && Find(name) is null ? value : Member(name).Number();

    public bool Boolean(string name, bool absent) => Find(name)?.Boolean() ?? absent;

    public string Text(string name, string? absent = null) =>
        absent is not null && Find(name) is null ? absent : Member(name).Text();

    public string Choice(string name, string? absent, params ReadOnlySpan<string> allowed) =>
        absent is not null && Find(name) is null ? absent : Member(name).OneOf(allowed);

    // ---- messages ----

    /// <summary>The error that this value is not what was expected.</summary>
    /// <param name="expected">As in <c>an integer</c>.</param>
    public InvalidDataException Wrong(string expected) => Bad($"must be {expected}, got {Quoted}");

    /// <summary>An error that begins with file and place.</summary>
    /// <param name="message">As in <c>is unknown</c>.</param>
    public InvalidDataException Bad(string message) =>
        new($"{_file}: {(Path is { Length: > 0 } path ? Short(path, 2 * MaxQuoted) : "the document")} {message}");

    /// <summary>The value as the file spells it.</summary>
    public string Raw => _element.GetRawText();

    /// <summary>The value as the file spells it, shortened.</summary>
    public string Quoted => Short(Raw, MaxQuoted);

    private static string Short(string text, int length) => text.Length <= length ? text : text[..length] + "...";
}

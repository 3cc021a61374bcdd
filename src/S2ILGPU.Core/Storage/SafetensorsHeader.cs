using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace S2ILGPU.Storage;

/// <summary>The JSON at the start of a safetensors file:
/// <c>{"name":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},...,"__metadata__":{"key":"value"}}</c>.</summary>
/// <remarks>
/// Strict, as files come from anywhere: every size is checked before it is believed. The data of the tensors must
/// follow each other from offset 0 to the end of the file without gap or overlap.
/// </remarks>
internal sealed class SafetensorsHeader
{
    public const string MetadataKey = "__metadata__";
    public const int MaxHeaderBytes = 100_000_000, MaxRank = 16;

    private readonly string _file;

    private SafetensorsHeader(string file) => _file = file;

    public List<SafetensorsEntry> Entries { get; } = [];

    public Dictionary<string, string> Metadata { get; } = [];

    /// <summary>Reads the JSON part.</summary>
    /// <param name="file">The file's name, for messages.</param>
    /// <param name="json">The JSON text; may end in spaces.</param>
    /// <param name="dataBytes">Number of bytes that follow the header.</param>
    /// <exception cref="InvalidDataException">Anything is not as the format says.</exception>
    public static SafetensorsHeader Parse(string file, ReadOnlySpan<byte> json, long dataBytes)
    {
        var header = new SafetensorsHeader(file);
        if (!Utf8.IsValid(json))
            throw header.Bad("the header is not valid UTF-8");
        var reader = new Utf8JsonReader(json);
        try
        {
            header.ReadEntries(ref reader);
            if (reader.Read())
                throw header.Bad("something follows the header's object");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{file}: the header is not valid JSON: {e.Message}", e);
        }
        header.CheckDataIsCovered(dataBytes);
        return header;
    }

    private InvalidDataException Bad(string what) => new($"{_file}: {what}");

    private void ReadEntries(ref Utf8JsonReader reader)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw Bad($"the header must be a JSON object, got {Kind(ref reader)}");
        var names = new HashSet<string>();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = Text(ref reader, "a tensor's name");
            if (!names.Add(name))
                throw Bad($"the name '{name}' stands twice in the header");
            if (name == MetadataKey)
                ReadMetadata(ref reader);
            else
                Entries.Add(ReadEntry(ref reader, name));
        }
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        Expect(ref reader, JsonTokenType.StartObject, $"{MetadataKey} must be an object of strings");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = Text(ref reader, $"a key of {MetadataKey}");
            Expect(ref reader, JsonTokenType.String, $"{MetadataKey}: the value of '{key}' must be a string");
            if (!Metadata.TryAdd(key, Text(ref reader, $"{MetadataKey}: the value of '{key}'")))
                throw Bad($"{MetadataKey}: the key '{key}' stands twice");
        }
    }

    private SafetensorsEntry ReadEntry(ref Utf8JsonReader reader, string name)
    {
        string? type = null;
        long[]? shape = null, offsets = null;
        Expect(ref reader, JsonTokenType.StartObject, $"tensor '{name}' must be an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = Text(ref reader, $"a key of tensor '{name}'");
            if (key == "dtype" && type is null)
            {
                Expect(ref reader, JsonTokenType.String, $"tensor '{name}': dtype must be a string");
                type = Text(ref reader, $"tensor '{name}': dtype");
            }
            else if (key == "shape" && shape is null)
                shape = ReadNumbers(ref reader, name, key);
            else if (key == "data_offsets" && offsets is null)
                offsets = ReadNumbers(ref reader, name, key);
            else
                throw Bad($"tensor '{name}': the key '{key}' is unknown or stands twice");
        }
        if (type is null || shape is null || offsets is null)
            throw Bad($"tensor '{name}' lacks {(type is null ? "dtype" : shape is null ? "shape" : "data_offsets")}");
        return CheckedEntry(name, type, shape, offsets);
    }

    private long[] ReadNumbers(ref Utf8JsonReader reader, string name, string key)
    {
        Expect(ref reader, JsonTokenType.StartArray, $"tensor '{name}': {key} must be an array");
        var numbers = new List<long>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long number) || number < 0)
                throw Bad(
                    $"tensor '{name}': {key}[{numbers.Count}] must be an integer from 0 to 2^63 - 1, got "
                    + $"{Kind(ref reader)}");
            if (numbers.Count == MaxRank)
                throw Bad($"tensor '{name}': {key} has more than {MaxRank} numbers");
            numbers.Add(number);
        }
        return numbers.ToArray();
    }

    private SafetensorsEntry CheckedEntry(string name, string typeName, long[] shape, long[] offsets)
    {
        if (!SafetensorsTypes.TryParse(typeName, out var type))
            throw Bad($"tensor '{name}': the dtype '{typeName}' is unknown");
        string shapeText = SafetensorsEntry.ShapeText(shape), offsetText = SafetensorsEntry.ShapeText(offsets);
        if (offsets.Length != 2 || offsets[1] < offsets[0])
            throw Bad($"tensor '{name}': data_offsets must be [begin, end], got {offsetText}");
        if (!SafetensorsEntry.TrySizeBytes(type, shape, out long sizeBytes))
            throw Bad($"tensor '{name}': the size of shape {shapeText} in {typeName} overflows 63 bits");
        if (offsets[1] - offsets[0] != sizeBytes)
            throw Bad($"tensor '{name}': shape {shapeText} in {typeName} needs {sizeBytes} bytes, "
                + $"but data_offsets {offsetText} span {offsets[1] - offsets[0]}");
        return new SafetensorsEntry(name, type, shape, offsets[0], sizeBytes);
    }

    // Sorts the entries by where they lie; each must begin where the one before ends.
    private void CheckDataIsCovered(long dataBytes)
    {
        // An empty tensor comes before the one that begins at the same place.
        Entries.Sort((a, b) => (a.Start, a.SizeBytes).CompareTo((b.Start, b.SizeBytes)) is not 0 and int order ? order
            : string.CompareOrdinal(a.Name, b.Name));
        long end = 0;
        foreach (var entry in Entries)
        {
            if (entry.Start != end)
                throw Bad($"tensor '{entry.Name}': its data begin at {entry.Start}, "
                    + $"{(entry.Start < end ? "overlapping" : "leaving a gap after")} what ends at {end}");
            end += entry.SizeBytes;
            if (end > dataBytes)
                throw Bad(
                    $"tensor '{entry.Name}': its data end at {end}, but only {dataBytes} bytes follow the header "
                    + $"(truncated file?)");
        }
        if (end != dataBytes)
            throw Bad($"the tensors end at {end}, but {dataBytes} bytes follow the header");
    }

    private void Expect(ref Utf8JsonReader reader, JsonTokenType token, string what)
    {
        if (!reader.Read() || reader.TokenType != token)
            throw Bad($"{what}, got {Kind(ref reader)}");
    }

    // GetString throws InvalidOperationException for an escape of half a surrogate pair, the one thing that the JSON
    // check does not see.
    private string Text(ref Utf8JsonReader reader, string what)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Bad($"{what} holds an escape that is no character");
        }
    }

    private static string Kind(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.Number => Encoding.UTF8.GetString(reader.ValueSpan[..Math.Min(reader.ValueSpan.Length, 40)]),
        JsonTokenType.None => "nothing",
        var token => token.ToString(),
    };

    /// <summary>The length prefix and the JSON for tensors in the given order, padded with spaces to a multiple of 8
    /// bytes.</summary>
    public static byte[] Write(IReadOnlyList<SafetensorsTensor> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var buffer = new ArrayBufferWriter<byte>();
        buffer.Write(new byte[sizeof(ulong)]); // the length, filled in below
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            if (metadata is { Count: > 0 })
                WriteMetadata(writer, metadata);
            long start = 0;
            foreach (var tensor in tensors)
                WriteEntry(writer, tensor, ref start);
            writer.WriteEndObject();
        }
        int padding = -buffer.WrittenCount & 7;
        buffer.Write("        "u8[..padding]);
        byte[] header = buffer.WrittenSpan.ToArray();
        if (header.Length - sizeof(ulong) > MaxHeaderBytes)
            throw new ArgumentException(
                $"{tensors.Count} tensors and metadata need a header of {header.Length} bytes, at most "
                + $"{MaxHeaderBytes} are allowed");
        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)(header.Length - sizeof(ulong)));
        return header;
    }

    private static void WriteMetadata(Utf8JsonWriter writer, IReadOnlyDictionary<string, string> metadata)
    {
        writer.WriteStartObject(MetadataKey);
        foreach (var (key, value) in metadata.OrderBy(p => p.Key, StringComparer.Ordinal))
            writer.WriteString(key, value);
        writer.WriteEndObject();
    }

    private static void WriteEntry(Utf8JsonWriter writer, SafetensorsTensor tensor, ref long start)
    {
        writer.WriteStartObject(tensor.Name);
        writer.WriteString("dtype", tensor.Type.FileName());
        writer.WriteStartArray("shape");
        foreach (long extent in tensor.Shape)
            writer.WriteNumberValue(extent);
        writer.WriteEndArray();
        writer.WriteStartArray("data_offsets");
        writer.WriteNumberValue(start);
        writer.WriteNumberValue(start = checked(start + tensor.SizeBytes));
        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}

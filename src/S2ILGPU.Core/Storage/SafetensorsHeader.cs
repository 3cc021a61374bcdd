using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;

namespace S2ILGPU.Storage;

/// <summary>The JSON at the start of a safetensors file:
/// <c>{"name":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},...,"__metadata__":{"key":"value"}}</c>.</summary>
/// <remarks>
/// Strict, as files come from anywhere: every size is checked before it is believed. The data of the tensors must
/// follow each other from offset 0 to the end of the file without gap or overlap. Not stricter than the format: keys
/// beside those three, and element types that came after this library, say nothing about the other tensors.
/// </remarks>
internal sealed class SafetensorsHeader
{
    public const string MetadataKey = "__metadata__";
    public const int MaxHeaderBytes = 100_000_000;

    private readonly string _file;

    private SafetensorsHeader(string file) => _file = file;

    public List<SafetensorsEntry> Entries { get; } = [];

    public Dictionary<string, string> Metadata { get; } = [];

    /// <summary>Reads the JSON part.</summary>
    /// <param name="file">The file's name, for messages.</param>
    /// <param name="json">The JSON text; may end in spaces.</param>
    /// <param name="dataBytes">Number of bytes that follow the header.</param>
    /// <exception cref="InvalidDataException">Anything is not as the format says.</exception>
    public static SafetensorsHeader Parse(string file, ReadOnlyMemory<byte> json, long dataBytes)
    {
        var header = JsonValue.Parse(json, $"{file}: header", root => new SafetensorsHeader(file).Read(root));
        header.CheckDataIsCovered(dataBytes);
        return header;
    }

    private InvalidDataException Bad(string what) => new($"{_file}: {what}");

    private SafetensorsHeader Read(JsonValue root)
    {
        foreach (var (name, value) in root.Members())
            if (name != MetadataKey)
                Entries.Add(ReadEntry(name, value.Named($"tensor '{name}'")));
            else if (!value.IsNull)
                foreach (var (key, text) in value.Members())
                    Metadata.Add(key, text.Text());
        return this;
    }

    private SafetensorsEntry ReadEntry(string name, JsonValue value)
    {
        string typeName = value.Text("dtype");
        long[] shape = ReadSizes(value.Member("shape")), offsets = ReadSizes(value.Member("data_offsets"));
        string shapeText = SafetensorsEntry.ShapeText(shape), offsetText = SafetensorsEntry.ShapeText(offsets);
        if (offsets.Length != 2 || offsets[1] < offsets[0])
            throw Bad($"tensor '{name}': data_offsets must be [begin, end], got {offsetText}");
        long span = offsets[1] - offsets[0];
        if (!SafetensorsTypes.TryParse(typeName, out var type))
            return new SafetensorsEntry(name, SafetensorsType.Unknown, typeName, shape, offsets[0], span);
        if (!SafetensorsEntry.TrySizeBytes(type, shape, out long sizeBytes))
            throw Bad($"tensor '{name}': the size of shape {shapeText} in {typeName} overflows 63 bits");
        if (span != sizeBytes)
            throw Bad($"tensor '{name}': shape {shapeText} in {typeName} needs {sizeBytes} bytes, "
                + $"but data_offsets {offsetText} span {span}");
        return new SafetensorsEntry(name, type, typeName, shape, offsets[0], sizeBytes);
    }

    private static long[] ReadSizes(JsonValue array) =>
        [.. array.Items().Select(item => item.LongOrNull() is { } size and >= 0 ? size
            : throw item.Wrong("an integer from 0 to 2^63 - 1"))];

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

using System.Buffers;

namespace S2ILGPU.Storage;

/// <summary>One tensor to be written with <see cref="SafetensorsFile.Write"/>.</summary>
public sealed class SafetensorsTensor
{
    private const int ChunkElements = 1 << 15;

    private readonly long[] _shape;

    /// <summary>A tensor whose bytes are written by a callback, so that it need not be in memory at once.</summary>
    /// <param name="name">The name, unique in the file.</param>
    /// <param name="type">The element type.</param>
    /// <param name="shape">The extents, outermost first; copied.</param>
    /// <param name="write">Writes exactly <see cref="SizeBytes"/> bytes, little-endian, row-major; called once, while
    /// the file is written.</param>
    /// <exception cref="ArgumentException">The name is empty or reserved, or the size of the shape does not
    /// fit.</exception>
    public SafetensorsTensor(string name, SafetensorsType type, ReadOnlySpan<long> shape, Action<Stream> write)
    {
        if (string.IsNullOrEmpty(name))
            throw new ArgumentException("a tensor needs a name");
        ArgumentNullException.ThrowIfNull(write);
        if (name == SafetensorsHeader.MetadataKey)
            throw new ArgumentException($"'{name}' is reserved, a tensor cannot have that name");
        if (!Enum.IsDefined(type) || type == SafetensorsType.Unknown)
            throw new ArgumentException($"tensor '{name}': {type} is not an element type that can be written");
        if (!SafetensorsEntry.TrySizeBytes(type, shape, out long sizeBytes))
            throw new ArgumentException(
                $"tensor '{name}': shape {SafetensorsEntry.ShapeText(shape)} is negative or its size "
                + "overflows 63 bits");
        Name = name;
        Type = type;
        _shape = shape.ToArray();
        SizeBytes = sizeBytes;
        WriteData = write;
    }

    /// <summary>A tensor of floats, converted to the element type while it is written: to the nearest, ties to
    /// even.</summary>
    /// <param name="name">The name, unique in the file.</param>
    /// <param name="type">F32, F16, BF16 or F64.</param>
    /// <param name="shape">The extents, outermost first; copied.</param>
    /// <param name="values">The elements, row-major; read when the file is written, not copied.</param>
    /// <exception cref="ArgumentException">The type is no float type, or the number of values is not that of the
    /// shape.</exception>
    public SafetensorsTensor(string name, SafetensorsType type, ReadOnlySpan<long> shape, ReadOnlyMemory<float> values)
        : this(name, type, shape, stream => WriteFloats(stream, type, values.Span))
    {
        if (!FloatConversion.IsFloat(type))
            throw new ArgumentException($"tensor '{name}': floats cannot be written as {type.FileName()}");
        long count = SizeBytes / type.SizeBytes();
        if (values.Length != count)
            throw new ArgumentException(
                $"tensor '{name}': shape {SafetensorsEntry.ShapeText(shape)} needs {count} values, "
                + $"got {values.Length}");
    }

    /// <summary>The name.</summary>
    public string Name { get; }

    /// <summary>The element type in the file.</summary>
    public SafetensorsType Type { get; }

    /// <summary>The extents, outermost first.</summary>
    public ReadOnlySpan<long> Shape => _shape;

    /// <summary>Size of the data in bytes.</summary>
    public long SizeBytes { get; }

    internal Action<Stream> WriteData { get; }

    private static void WriteFloats(Stream stream, SafetensorsType type, ReadOnlySpan<float> values)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ChunkElements * type.SizeBytes());
        while (values.Length > 0)
        {
            var chunk = values[..Math.Min(values.Length, ChunkElements)];
            var bytes = buffer.AsSpan(0, chunk.Length * type.SizeBytes());
            FloatConversion.FromSingle(type, chunk, bytes);
            stream.Write(bytes);
            values = values[chunk.Length..];
        }
        ArrayPool<byte>.Shared.Return(buffer);
    }
}

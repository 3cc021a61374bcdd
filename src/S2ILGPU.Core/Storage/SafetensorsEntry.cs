namespace S2ILGPU.Storage;

/// <summary>What a safetensors file says about one tensor.</summary>
public sealed class SafetensorsEntry
{
    private readonly long[] _shape;

    internal SafetensorsEntry(string name, SafetensorsType type, string typeName, long[] shape, long start,
        long sizeBytes)
    {
        Name = name;
        Type = type;
        TypeName = typeName;
        _shape = shape;
        Start = start;
        SizeBytes = sizeBytes;
    }

    /// <summary>The tensor's name.</summary>
    public string Name { get; }

    /// <summary>The element type; <see cref="SafetensorsType.Unknown"/> where this library does not know it: such a
    /// tensor can be listed and read as bytes only.</summary>
    public SafetensorsType Type { get; }

    /// <summary>The element type as the file names it, as in <c>BF16</c>.</summary>
    public string TypeName { get; }

    /// <summary>The extents, outermost first; empty for a scalar.</summary>
    public ReadOnlySpan<long> Shape => _shape;

    /// <summary>Number of elements; 1 for a scalar, 0 where the type is unknown.</summary>
    public long Count => Type == SafetensorsType.Unknown ? 0 : SizeBytes / Type.SizeBytes();

    /// <summary>Size of the data in bytes.</summary>
    public long SizeBytes { get; }

    // Offset of the first byte from the end of the header.
    internal long Start { get; }

    /// <summary>Name, type and shape, as in <c>wte.weight F32 [4096, 256]</c>.</summary>
    public override string ToString() => $"{Name} {TypeName} {ShapeText(_shape)}";

    internal static string ShapeText(ReadOnlySpan<long> shape) => $"[{string.Join(", ", shape.ToArray())}]";

    // Size in bytes of a tensor, or false when an extent is negative or the product does not fit in 63 bits.
    internal static bool TrySizeBytes(SafetensorsType type, ReadOnlySpan<long> shape, out long sizeBytes)
    {
        sizeBytes = 0;
        if (shape.ContainsAnyExceptInRange(0, long.MaxValue))
            return false;
        if (shape.Contains(0))
            return true;
        UInt128 size = (UInt128)type.SizeBytes();
        foreach (long extent in shape)
            if ((size *= (UInt128)extent) > long.MaxValue)
                return false;
        sizeBytes = (long)size;
        return true;
    }
}

namespace S2ILGPU.Storage;

/// <summary>What a safetensors file says about one tensor.</summary>
public sealed class SafetensorsEntry
{
    private readonly long[] _shape;

    internal SafetensorsEntry(string name, SafetensorsType type, long[] shape, long start, long sizeBytes)
    {
        Name = name;
        Type = type;
        _shape = shape;
        Start = start;
        SizeBytes = sizeBytes;
    }

    /// <summary>The tensor's name.</summary>
    public string Name { get; }

    /// <summary>The element type.</summary>
    public SafetensorsType Type { get; }

    /// <summary>The extents, outermost first; empty for a scalar.</summary>
    public ReadOnlySpan<long> Shape => _shape;

    /// <summary>Number of elements; 1 for a scalar.</summary>
    public long Count => SizeBytes / Type.SizeBytes();

    /// <summary>Size of the data in bytes.</summary>
    public long SizeBytes { get; }

    // Offset of the first byte from the end of the header.
    internal long Start { get; }

    /// <summary>Name, type and shape, as in <c>wte.weight F32 [4096, 256]</c>.</summary>
    public override string ToString() => $"{Name} {Type.FileName()} {ShapeText(_shape)}";

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

namespace S2ILGPU.Tensors;

/// <summary>The type of a tensor's elements.</summary>
public enum ElementType
{
    /// <summary>IEEE single precision, 4 bytes.</summary>
    Float32,

    /// <summary>IEEE half precision, 2 bytes.</summary>
    Float16,

    /// <summary>bfloat16: the upper 16 bits of a single, 2 bytes.</summary>
    BFloat16,

    /// <summary>IEEE double precision, 8 bytes. Reference computations only.</summary>
    Float64,

    /// <summary>Signed 32-bit integer, 4 bytes: token ids, positions.</summary>
    Int32,

    /// <summary>Signed 8-bit integer, 1 byte: keys and values in the pages of a cache, where each row has a scale of
    /// its own. See <see cref="Engines.PageTable.PagesShape"/>.</summary>
    Int8,
}

/// <summary>Facts about <see cref="ElementType"/>.</summary>
public static class ElementTypes
{
    /// <summary>Size of one element in bytes.</summary>
    /// <param name="type">The element type.</param>
    public static int SizeBytes(this ElementType type) => type switch
    {
        ElementType.Float16 or ElementType.BFloat16 => 2,
        ElementType.Float64 => 8,
        ElementType.Int8 => 1,
        _ => 4,
    };
}

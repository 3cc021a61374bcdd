namespace S2ILGPU.Storage;

/// <summary>The element types of the safetensors format, all little-endian.</summary>
public enum SafetensorsType
{
    /// <summary><c>F32</c>, IEEE single precision.</summary>
    Float32,

    /// <summary><c>F16</c>, IEEE half precision.</summary>
    Float16,

    /// <summary><c>BF16</c>, the upper 16 bits of a single.</summary>
    BFloat16,

    /// <summary><c>F64</c>, IEEE double precision.</summary>
    Float64,

    /// <summary><c>I64</c>.</summary>
    Int64,

    /// <summary><c>I32</c>.</summary>
    Int32,

    /// <summary><c>I16</c>.</summary>
    Int16,

    /// <summary><c>I8</c>.</summary>
    Int8,

    /// <summary><c>U64</c>.</summary>
    UInt64,

    /// <summary><c>U32</c>.</summary>
    UInt32,

    /// <summary><c>U16</c>.</summary>
    UInt16,

    /// <summary><c>U8</c>.</summary>
    UInt8,

    /// <summary><c>BOOL</c>, one byte.</summary>
    Boolean,

    /// <summary><c>F8_E4M3</c>, kept as raw bytes.</summary>
    Float8E4M3,

    /// <summary><c>F8_E5M2</c>, kept as raw bytes.</summary>
    Float8E5M2,

    /// <summary>A type that this library does not know, as <c>F8_E8M0</c>: its size is not known either. Read only,
    /// as bytes.</summary>
    Unknown,
}

/// <summary>Facts about <see cref="SafetensorsType"/>.</summary>
public static class SafetensorsTypes
{
    private static readonly (SafetensorsType Type, string Name, int SizeBytes)[] Table =
    [
        (SafetensorsType.Float32, "F32", 4), (SafetensorsType.Float16, "F16", 2), (SafetensorsType.BFloat16, "BF16", 2),
        (SafetensorsType.Float64, "F64", 8),
        (SafetensorsType.Int64, "I64", 8), (SafetensorsType.Int32, "I32", 4), (SafetensorsType.Int16, "I16", 2),
            (SafetensorsType.Int8, "I8", 1),
        (SafetensorsType.UInt64, "U64", 8), (SafetensorsType.UInt32, "U32", 4), (SafetensorsType.UInt16, "U16", 2),
            (SafetensorsType.UInt8, "U8", 1),
        (SafetensorsType.Boolean, "BOOL", 1), (SafetensorsType.Float8E4M3, "F8_E4M3", 1),
            (SafetensorsType.Float8E5M2, "F8_E5M2", 1),
    ];

    /// <summary>Size of one element in bytes.</summary>
    /// <param name="type">The element type; a known one.</param>
    /// <exception cref="ArgumentException">The type is unknown.</exception>
    public static int SizeBytes(this SafetensorsType type) => Row(type).SizeBytes;

    /// <summary>The type's name in a file, as in <c>BF16</c>.</summary>
    /// <param name="type">The element type; a known one.</param>
    /// <exception cref="ArgumentException">The type is unknown.</exception>
    public static string FileName(this SafetensorsType type) => Row(type).Name;

    internal static bool TryParse(string name, out SafetensorsType type)
    {
        foreach (var row in Table)
            if (row.Name == name)
            {
                type = row.Type;
                return true;
            }
        type = default;
        return false;
    }

    private static (SafetensorsType Type, string Name, int SizeBytes) Row(SafetensorsType type) =>
        (uint)type < (uint)Table.Length ? Table[(int)type]
        : throw new ArgumentException($"{type} is not an element type that can be written or measured");
}

using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Devices;

/// <summary>Element types as command lines and reports name them.</summary>
internal static class ElementTypeNames
{
    /// <summary>The short name of an element type, as in <c>bf16</c>.</summary>
    public static string ShortName(this ElementType type) => type switch
    {
        ElementType.Float16 => "fp16",
        ElementType.BFloat16 => "bf16",
        ElementType.Float64 => "fp64",
        ElementType.Int32 => "int32",
        ElementType.Int8 => "int8",
        _ => "fp32",
    };
}

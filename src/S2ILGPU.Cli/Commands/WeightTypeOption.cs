using System.CommandLine;
using S2ILGPU.Storage;

namespace S2ILGPU.Cli.Commands;

/// <summary>The option <c>--type</c> of commands that write weights.</summary>
internal static class WeightTypeOption
{
    public static Option<string?> Create() => Options.Choice("--type", ["fp32", "fp16", "bf16"],
        "Element type of the weights, rounded to the nearest", unset: "as they are");

    /// <summary>The element type of a file; null for as it is.</summary>
    public static SafetensorsType? TypeOf(string? type) => type switch
    {
        "fp32" => SafetensorsType.Float32,
        "fp16" => SafetensorsType.Float16,
        "bf16" => SafetensorsType.BFloat16,
        _ => null,
    };
}

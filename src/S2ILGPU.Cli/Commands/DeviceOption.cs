using System.CommandLine;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Commands;

/// <summary>The options that commands with work for a device share.</summary>
internal static class DeviceOption
{
    /// <summary>How the matrices of a model that is only read, and its activations, are stored.</summary>
    public static Option<string?> Precision() => Options.Choice("--precision", ["fp32", "bf16"],
        "How matrices and activations are kept in memory; bf16 takes half", "fp32");

    /// <summary>The element type of a precision; null for the engine's own.</summary>
    public static ElementType? TypeOf(string? precision) => precision == "bf16" ? ElementType.BFloat16 : null;

    /// <summary>How keys and values of earlier tokens are stored while a text is continued.</summary>
    public static Option<string?> Cache() => Options.Choice("--cache", ["fp32", "fp16", "bf16"],
        "How keys and values of earlier tokens are kept in memory; fp16 and bf16 take half",
        unset: "the precision");

    public static ElementType? CacheType(string? cache) =>
        cache switch
        {
            "bf16" => ElementType.BFloat16,
            "fp16" => ElementType.Float16,
            "fp32" => ElementType.Float32,
            _ => null,
        };

    public static Option<string> Create() => new("--device")
    {
        Description = "auto (the fastest), cpu, cuda:N, opencl:N or ilgpu-cpu",
        HelpName = "DEVICE",
        DefaultValueFactory = _ => "auto",
    };
}

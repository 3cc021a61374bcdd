using System.CommandLine;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Commands;

/// <summary>The options that commands with work for a device share.</summary>
internal static class DeviceOption
{
    private static readonly string[] s_precisions = ["fp32", "bf16"];

    private const string PrecisionText = "How matrices and activations are kept in memory; bf16 takes half";

    /// <summary>How the matrices of a model that is only read, and its activations, are stored.</summary>
    public static Option<string?> Precision() => Options.Choice("--precision", s_precisions, PrecisionText, "fp32");

    /// <summary>The same for a model that comes from files.</summary>
    public static Option<string?> PrecisionOfFiles() => Options.Choice("--precision", s_precisions, PrecisionText,
        unset: "fp32, and matrices of 16-bit files as they are");

    /// <summary>The element type of activations; null for the engine's own.</summary>
    public static ElementType? TypeOf(string? precision) => precision == "bf16" ? ElementType.BFloat16 : null;

    /// <summary>The element type of a model that comes from files; null for that of the files.</summary>
    public static ElementType? TypeOfFiles(string? precision) =>
        precision is null ? null : TypeOf(precision) ?? ElementType.Float32;

    /// <summary>How keys and values of earlier tokens are stored while a text is continued.</summary>
    public static Option<string?> Cache() => Options.Choice("--cache",
        ["fp32", "fp16", "bf16", "int8"],
        "How keys and values of earlier tokens are kept in memory; fp16 and bf16 take half, int8 about a quarter",
        unset: "the precision");

    public static ElementType? CacheType(string? cache) =>
        cache switch
        {
            "bf16" => ElementType.BFloat16,
            "fp16" => ElementType.Float16,
            "fp32" => ElementType.Float32,
            "int8" => ElementType.Int8,
            _ => null,
        };

    /// <summary>How many tokens are proposed and computed at once with the next one of a text.</summary>
    public static Option<int> Speculate() => Options.Number("--speculate", 0,
        "The most tokens to guess from how the text went on before and to check at once, as many as pay; the text "
        + "stays the same",
        least: 0);

    /// <summary>Whether products of fp32 matrices may be rounded.</summary>
    public static Option<bool> Tf32() => Options.Switch("--tf32",
        "Products of fp32 matrices may run on tensor cores, which round their operands to TF32 (10 bits of fraction)");

    public static Option<string> Create() => Create("auto (the fastest), cpu, cuda:N, opencl:N or ilgpu-cpu");

    /// <summary>One device, or several that share the work.</summary>
    public static Option<string> CreateShared() => Create(
        "auto (the fastest), cpu, cuda:N, opencl:N or ilgpu-cpu; several, as in cuda:0,cuda:1, are ranks");

    /// <summary>The names of devices with commas between them.</summary>
    public static string[] Split(string devices) => devices.Split(',', StringSplitOptions.TrimEntries);

    private static Option<string> Create(string description) => new("--device")
    {
        Description = description,
        HelpName = "DEVICE",
        DefaultValueFactory = _ => "auto",
    };
}

using System.CommandLine;
using S2ILGPU.Corpora;

namespace S2ILGPU.Cli.Commands;

/// <summary>The text that a command reads: <c>--data</c>.</summary>
internal static class DataOption
{
    public static Option<string[]> Create(string purpose) => new("--data")
    {
        Description = $"Files, folders or patterns to {purpose} [default: the documentation of .NET in the SDK]",
        HelpName = "PATH",
        AllowMultipleArgumentsPerToken = true,
    };

    public static Option<int> MaxBytes() => Options.Number("--max-bytes", 1_000_000, "The most bytes of text to read",
        least: 1, most: Corpus.LargestMaxBytes);
}

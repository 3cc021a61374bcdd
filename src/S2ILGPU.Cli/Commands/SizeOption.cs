using System.CommandLine;
using System.Globalization;

namespace S2ILGPU.Cli.Commands;

/// <summary>Options whose value is a number of bytes with a unit, as in 5GB.</summary>
internal static class SizeOption
{
    private const string Spelling = "as in 5GB, 500MB or a number of bytes";

    private static readonly (string Name, long Bytes)[] s_units =
        [("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("", 1)];

    /// <summary>Creates one.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">One line for the help.</param>
    /// <param name="unset">What the help says about the default.</param>
    public static Option<string?> Create(string name, string description, string unset) =>
        Options.Text(name, "SIZE", $"{description}, {Spelling}", unset);

    /// <summary>The bytes that were asked for; null where the option was left out.</summary>
    /// <exception cref="ArgumentException">The value is not a size.</exception>
    public static long? Bytes(ParseResult parsed, Option<string?> option)
    {
        if (parsed.GetValue(option) is not { } text)
            return null;
        var (unit, bytes) = s_units.First(u => text.EndsWith(u.Name, StringComparison.OrdinalIgnoreCase));
        return decimal.TryParse(text[..^unit.Length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture,
            out decimal number) && number >= 1m / bytes && number <= long.MaxValue / bytes ? (long)(number * bytes)
            : throw new ArgumentException($"{option.Name} must be a size, {Spelling}, got {text}");
    }
}

using System.CommandLine;
using System.Globalization;
using S2ILGPU.Cpu;

namespace S2ILGPU.Cli.Commands;

/// <summary><c>--caches</c>: the sizes of the caches that the CPU engine cuts its kernels for, in place of the
/// machine's. Powers of two, as processors name them: 32K are 32,768 bytes.</summary>
internal static class CachesOption
{
    private const string Spelling = "as in 32K,512K,8M";

    // What CacheSizes holds.
    private const int LargestBytes = 1 << 30;

    private static readonly (string Name, int Bytes)[] s_units = [("K", 1 << 10), ("M", 1 << 20)];

    /// <summary>Creates it.</summary>
    public static Option<string?> Create() => Options.Text("--caches", "L1,L2,LAST",
        $"Cut kernels for caches of these sizes, {Spelling}", "those of the machine");

    /// <summary>The sizes that were asked for; null where the option was left out.</summary>
    /// <exception cref="ArgumentException">The value is not three sizes, the smallest first.</exception>
    public static CacheSizes? Sizes(ParseResult parsed, Option<string?> option)
    {
        if (parsed.GetValue(option) is not { } text)
            return null;
        int[] bytes = [.. text.Split(',').Select(Bytes)];
        return bytes is [> 0, _, _] && bytes[0] <= bytes[1] && bytes[1] <= bytes[2]
            ? new CacheSizes(bytes[0], bytes[1], bytes[2])
            : throw new ArgumentException($"{option.Name} must be three sizes up to 1024M with K or M, the first level "
                + $"first and none smaller than the one before, {Spelling}, got {text}");
    }

    // 0 where it is no size.
    private static int Bytes(string text)
    {
        var (name, unit) = s_units.FirstOrDefault(u => text.EndsWith(u.Name, StringComparison.OrdinalIgnoreCase));
        return name is not null && int.TryParse(text[..^name.Length], NumberStyles.None, CultureInfo.InvariantCulture,
            out int number) && number <= LargestBytes / unit ? number * unit : 0;
    }
}

using System.Globalization;
using System.Text.RegularExpressions;

namespace S2ILGPU.Reports;

/// <summary>What <c>ptxas -v</c> says of a kernel.</summary>
/// <param name="Registers">Registers per thread.</param>
/// <param name="StackBytes">Local memory per thread.</param>
/// <param name="SpillStoreBytes">Bytes that instructions store because registers ran out.</param>
/// <param name="SpillLoadBytes">Bytes that instructions load for the same reason.</param>
/// <param name="SharedBytes">Shared memory of fixed size per group; dynamic shared memory is not in it.</param>
internal sealed partial record PtxasReport(int Registers, int StackBytes, int SpillStoreBytes, int SpillLoadBytes,
    int SharedBytes)
{
    /// <summary>Reads the report of the only kernel in a text.</summary>
    /// <exception cref="FormatException">The text has no such report, for example because it is an error
    /// message.</exception>
    public static PtxasReport Parse(string text)
    {
        // device functions, which ILGPU leaves in its modules, have "Function properties" too: the kernel's are those
        // after "Compiling entry function"
        int entry = text.IndexOf("Compiling entry function", StringComparison.Ordinal);
        var used = Used().Match(text, Math.Max(0, entry));
        if (entry < 0 || !used.Success)
            throw new FormatException($"ptxas: {text.Trim().ReplaceLineEndings(" ")}");
        var stack = Stack().Match(text, entry);
        var shared = Shared().Match(text, used.Index);
        return new PtxasReport(Number(used, 1), Number(stack, 1), Number(stack, 2), Number(stack, 3),
            Number(shared, 1));
    }

    private static int Number(Match match, int group) =>
        match.Success ? int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture) : 0;

    [GeneratedRegex(@"Used (\d+) registers")]
    private static partial Regex Used();

    [GeneratedRegex(@"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")]
    private static partial Regex Stack();

    [GeneratedRegex(@"(\d+) bytes smem")]
    private static partial Regex Shared();
}

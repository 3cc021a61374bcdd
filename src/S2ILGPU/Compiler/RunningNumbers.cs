using System.Globalization;
using System.Text.RegularExpressions;

namespace S2ILGPU.Compiler;

/// <summary>Makes the text of a kernel depend on the kernel alone. ILGPU numbers the nodes of all kernels of a process
/// in one sequence and writes the numbers into names, so the same kernel has other names after other kernels, and the
/// driver's own cache of machine code misses.</summary>
internal static partial class RunningNumbers
{
    /// <summary>Numbers the names in the order of their first use.</summary>
    /// <param name="source">PTX or OpenCL C.</param>
    /// <param name="kernelName">The one name that must stay: the kernel is looked up by it.</param>
    public static string Renumber(string source, string kernelName)
    {
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        return Name().Replace(source, match =>
        {
            if (match.Value == kernelName || match.Value[0] == '"')
                return match.Value;
            if (!names.TryGetValue(match.Value, out string? name))
                names.Add(match.Value, name = string.Create(CultureInfo.InvariantCulture,
                    $"{match.Groups["stem"].Value}{names.Count}{match.Groups["tail"].Value}"));
            return name;
        });
    }

    // Methods, parameters, labels, structures and shared arrays end in _ and a number, argument structures of OpenCL C
    // in _kernel after it. Registers (%r1) do not, nor do parts of an instruction (.v4); sm_80 is an architecture, and
    // what is quoted is the path of a source file.
    [GeneratedRegex(@"""[^""]*""|(?<![\w$.%])(?!sm_[0-9])(?<stem>[A-Za-z_]\w*?_)[0-9]+(?<tail>_kernel)?(?!\w)")]
    private static partial Regex Name();
}

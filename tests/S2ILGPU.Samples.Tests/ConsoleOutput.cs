using System.Globalization;
using System.Reflection;
using Xunit;

namespace S2ILGPU.Samples.Tests;

/// <summary>Runs programs in this process and keeps what they print. Its tests run one after the other: the console is
/// shared.</summary>
[CollectionDefinition(nameof(ConsoleOutput))]
public static class ConsoleOutput
{
    /// <summary>What the entry point of a program prints.</summary>
    public static string Of(Assembly program)
    {
        var entry = program.EntryPoint;
        Assert.NotNull(entry);
        var original = Console.Out;
        using var output = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
        Console.SetOut(output);
        try
        {
            entry.Invoke(null, [Array.Empty<string>()]);
        }
        finally
        {
            Console.SetOut(original);
        }
        return output.ToString();
    }
}

using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Native.Tests;

/// <summary>Compiles programs in C against the headers.</summary>
internal static class CProgram
{
    /// <summary>The folder of the headers.</summary>
    public static string Include { get; } = Repository.PathOf("src", "S2ILGPU.Native", "include");

    /// <summary>The header.</summary>
    public static string Header { get; } = File.ReadAllText(Path.Combine(Include, "s2ilgpu.h"));

    /// <summary>Skips the test where there is no compiler.</summary>
    public static void SkipWithoutCompiler() =>
        Assert.SkipUnless(OperatingSystem.IsLinux() && ChildProcess.IsOnPath("gcc"), "needs Linux and gcc");

    /// <summary>Compiles a file with all warnings as errors.</summary>
    /// <returns>The program.</returns>
    public static async Task<string> CompileAsync(string source, string program)
    {
        await ChildProcess.RunAsync("gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-I", Include, source, "-o",
            program, "-lm", "-ldl");
        return program;
    }
}

using System.Diagnostics;
using Xunit;

namespace S2ILGPU.TestSupport;

/// <summary>Other programs, with their output.</summary>
public static class ChildProcess
{
    /// <summary>Whether a program is on the PATH.</summary>
    public static bool IsOnPath(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, program)));

    /// <summary>Runs a program, which must succeed.</summary>
    /// <returns>What it prints.</returns>
    public static async Task<string> RunAsync(string program, params IEnumerable<string> arguments)
    {
        var (code, output, error) = await TryRunAsync(new Dictionary<string, string>(), program, arguments);
        Assert.True(code == 0, $"{program} {string.Join(' ', arguments)}: {code}\n{output}{error}");
        return output;
    }

    /// <summary>Runs a program.</summary>
    /// <param name="environment">Variables beside those of this process.</param>
    /// <param name="program">The program.</param>
    /// <param name="arguments">Its arguments.</param>
    public static async Task<(int Code, string Output, string Error)> TryRunAsync(
        IReadOnlyDictionary<string, string> environment, string program, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1"; // no build server that keeps the pipes open
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var cancellation = TestContext.Current.CancellationToken;
        var error = process.StandardError.ReadToEndAsync(cancellation);
        string output = await process.StandardOutput.ReadToEndAsync(cancellation);
        await process.WaitForExitAsync(cancellation);
        return (process.ExitCode, output, await error);
    }
}

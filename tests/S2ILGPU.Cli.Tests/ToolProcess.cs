using System.Diagnostics;
using Xunit;

namespace S2ILGPU.Cli.Tests;

/// <summary>The tool as a process of its own: for signals, exit codes and what the shell does to its streams.</summary>
internal static class ToolProcess
{
    private static string Host => Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    /// <summary>Runs <c>sh -c</c> with <c>$s2</c> standing for the tool, and waits for its end.</summary>
    public static async Task<Tool> ShellAsync(string script, string? folder = null)
    {
        using var process = Start("sh", ["-c", script], folder);
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return new Tool(process.ExitCode, await output, await error);
    }

    /// <summary>The program and first arguments that are the tool.</summary>
    public static string[] Command => [Host, "exec", typeof(CommandLine).Assembly.Location];

    /// <summary>Starts the tool.</summary>
    public static Process Start(string arguments) =>
        Start(Host, [.. Command[1..], .. arguments.Split(' ')], null);

    private static Process Start(string file, IEnumerable<string> arguments, string? folder)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            WorkingDirectory = folder ?? "",
        };
        start.Environment["s2"] = string.Join(' ', Command);
        return Process.Start(start)!;
    }
}

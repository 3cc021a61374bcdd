using System.Globalization;
using Xunit;

namespace S2ILGPU.Cli.Tests;

/// <summary>What one invocation of the tool printed and returned.</summary>
internal sealed record Tool(int ExitCode, string Output, string Error)
{
    /// <summary>Runs the tool in this process; arguments are separated by spaces.</summary>
    public static async Task<Tool> RunAsync(string arguments)
    {
        using StringWriter output = new(CultureInfo.InvariantCulture), error = new(CultureInfo.InvariantCulture);
        int exitCode = await CommandLine.RunAsync(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries),
            output, error);
        return new Tool(exitCode, output.ToString(), error.ToString());
    }

    /// <summary>Runs the tool and demands success.</summary>
    public static async Task<string> SucceedAsync(string arguments)
    {
        var run = await RunAsync(arguments);
        Assert.True(run.ExitCode == 0, $"s2 {arguments}: exit code {run.ExitCode}, {run.Error}");
        Assert.Equal("", run.Error);
        return run.Output;
    }

    /// <summary>Runs the tool and demands exit code 2 and one line <c>error: ...</c> with all the given
    /// parts.</summary>
    public static async Task RefuseAsync(string arguments, params string[] parts)
    {
        var run = await RunAsync(arguments);
        Assert.True(run.ExitCode == 2, $"s2 {arguments}: exit code {run.ExitCode}, {run.Error}");
        Assert.StartsWith("error: ", run.Error);
        Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
        Assert.All(parts, part => Assert.Contains(part, run.Error));
    }
}

using System.Globalization;
using S2ILGPU.Cli.Invocation;
using Xunit;

namespace S2ILGPU.Cli.Tests;

/// <summary>What one invocation of the tool printed and returned.</summary>
internal sealed record Tool(int ExitCode, string Output, string Error)
{
    /// <summary>Runs the tool in this process; arguments are separated by spaces.</summary>
    public static Task<Tool> RunAsync(string arguments, Interruption? interruption = null) =>
        RunAsync(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries), interruption: interruption);

    /// <summary>Runs the tool in this process.</summary>
    /// <param name="arguments">The arguments.</param>
    /// <param name="input">Standard input; null for a terminal.</param>
    /// <param name="interruption">What may end the command early.</param>
    public static async Task<Tool> RunAsync(string[] arguments, string? input = null, Interruption? interruption = null)
    {
        using StringWriter output = new(CultureInfo.InvariantCulture), error = new(CultureInfo.InvariantCulture);
        var streams = new StandardStreams(input is null ? null : new StringReader(input), output, error);
        using var own = interruption is null ? new Interruption() : null;
        int exitCode = await CommandLine.RunAsync(arguments, streams, interruption ?? own!);
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

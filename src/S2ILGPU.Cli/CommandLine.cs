using System.CommandLine;
using System.CommandLine.Help;
using S2ILGPU.Cli.Commands;

namespace S2ILGPU.Cli;

/// <summary>The tool's commands, and the one place where a failure becomes a line on standard error and an exit code.</summary>
internal static class CommandLine
{
    private const int Success = 0, Failure = 1, BadInput = 2;

    /// <summary>Parses and runs one invocation. Exit code 0, or 2 for bad input, 1 for a failure; either prints one line <c>error: ...</c>.</summary>
    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error)
    {
        var parsed = Root().Parse(args);
        if (parsed.Errors.Count > 0 && parsed.Action is not HelpAction)
            return Report(error, (parsed.Errors.FirstOrDefault(e => parsed.UnmatchedTokens.Any(e.Message.Contains)) ?? parsed.Errors[0]).Message, BadInput);
        try
        {
            var configuration = new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromMinutes(2) };
            return await parsed.InvokeAsync(configuration);
        }
        catch (OperationCanceledException)
        {
            return Report(error, "interrupted", Failure);
        }
        catch (Exception e) when (IsBadInput(e))
        {
            return Report(error, e.Message, BadInput);
        }
        catch (Exception e)
        {
            return Report(error, Environment.GetEnvironmentVariable("S2_TRACE") is "1" ? e.ToString() : e.Message, Failure);
        }
    }

    private static RootCommand Root() => new("Sparsely-sharded (S2) attention: draw patterns, attend, train, generate.")
    {
        DevicesCommand.Create(),
        PatternCommand.Create(),
        AttendCommand.Create(),
        TrainCommand.Create(),
        GenerateCommand.Create(),
        EvalCommand.Create(),
        BenchCommand.Create(),
        KernelsCommand.Create(),
        VerifyCommand.Create(),
    };

    private static bool IsBadInput(Exception e) =>
        e is ArgumentException or InvalidDataException or FileNotFoundException or DirectoryNotFoundException or FormatException or UnauthorizedAccessException or PlatformNotSupportedException;

    private static int Report(TextWriter error, string message, int exitCode)
    {
        error.WriteLine($"error: {message.ReplaceLineEndings(" ")}");
        return exitCode;
    }
}

using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using S2ILGPU.Cli.Commands;

namespace S2ILGPU.Cli;

/// <summary>The tool's commands, and the one place where a failure becomes a line on standard error and an exit
/// code.</summary>
internal static class CommandLine
{
    private const int Success = 0, Failure = 1, BadInput = 2;

    /// <summary>Parses and runs one invocation. Exit code 0, or 2 for bad input, 1 for a failure; either prints one
    /// line <c>error: ...</c>.</summary>
    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error)
    {
        var parsed = Root().Parse(args);
        if (parsed.Errors.Count > 0 && parsed.Action is not HelpAction)
            return Report(error, Explain(parsed), BadInput);
        try
        {
            var configuration = new InvocationConfiguration { Output = output, Error = error,
                EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromMinutes(2) };
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
            return Report(error, Environment.GetEnvironmentVariable("S2_TRACE") is "1" ? e.ToString()
                : e.Message, Failure);
        }
    }

    internal static RootCommand Root() =>
        new("Sparsely-sharded (S2) attention: draw patterns, attend, train, generate.")
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

    // What is not known, before what is missing because of it.
    private static string Explain(ParseResult parsed)
    {
        var group = parsed.CommandResult.Command.Subcommands.Count > 0 ? parsed.CommandResult
            : parsed.CommandResult.Parent as CommandResult;
        bool isComplete = group != parsed.CommandResult, isRoot = group?.Parent is null;
        string name = isRoot ? "s2" : $"s2 {group!.Command.Name}",
            commands = string.Join(", ", group!.Command.Subcommands.Select(c => c.Name));
        if (parsed.UnmatchedTokens.Count == 0)
            return isComplete ? parsed.Errors[0].Message
                : $"{name} needs a command: {commands}; {name} COMMAND --help says more";
        string unknown = parsed.UnmatchedTokens[0];
        string[] owners =
            [.. group.Command.Subcommands.Where(c => (!isRoot || c == parsed.CommandResult.Command)
            && c.Options.Any(o => o.Name == unknown)).Select(c => $"{name} {c.Name}")];
        return owners.Length > 0
            ? $"{unknown} is an option of {string.Join(" and ", owners)}, and stands behind that name"
            : !isComplete && !unknown.StartsWith('-') ? $"{name} has no command '{unknown}'; there is {commands}"
            : (parsed.Errors.FirstOrDefault(e => e.Message.Contains(unknown)) ?? parsed.Errors[0]).Message;
    }

    private static bool IsBadInput(Exception e) =>
        e is ArgumentException or InvalidDataException or FileNotFoundException or DirectoryNotFoundException
        or FormatException or UnauthorizedAccessException or NotSupportedException;

    private static int Report(TextWriter error, string message, int exitCode)
    {
        error.WriteLine($"error: {message.ReplaceLineEndings(" ")}");
        return exitCode;
    }
}

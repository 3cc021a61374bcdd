using System.CommandLine;
using System.CommandLine.Help;
using S2ILGPU.Cli.Commands;
using S2ILGPU.Cli.Invocation;

namespace S2ILGPU.Cli;

/// <summary>The tool's commands, and how one invocation runs.</summary>
internal static class CommandLine
{
    // A prompt may begin with @: no response files.
    private static readonly ParserConfiguration s_parsing = new() { ResponseFileTokenReplacer = null };

    /// <summary>Parses and runs one invocation.</summary>
    /// <returns>0; 2 for bad input and 1 for a failure, after one line <c>error: ...</c>; after an interruption its
    /// exit code.</returns>
    public static async Task<int> RunAsync(string[] args, StandardStreams streams, Interruption interruption)
    {
        try
        {
            var parsed = Parse(args);
            if (parsed.Action is not HelpAction && ParseErrors.Find(parsed) is { } error)
                return Report(streams, new Failure(Failure.BadInput, error));
            return await parsed.InvokeAsync(new ToolConfiguration(streams), interruption.Token);
        }
        catch (OperationCanceledException e)
        {
            if (!interruption.IsQuiet)
                Report(streams, new Failure(0, e is InterruptedException ? e.Message : "interrupted"));
            return interruption.ExitCode;
        }
        catch (Exception e)
        {
            if (Environment.GetEnvironmentVariable("S2_TRACE") is "1")
                streams.Error.WriteLine(e);
            return Report(streams, Failure.Of(e));
        }
    }

    /// <summary>What the arguments say.</summary>
    internal static ParseResult Parse(IReadOnlyList<string> args) => Root().Parse(args, s_parsing);

    internal static RootCommand Root()
    {
        var root = new RootCommand("Sparsely-sharded (S2) attention: draw patterns, attend, train, generate.\n"
            + "To begin: s2 train, then s2 generate --prompt \"Gets or sets the\".")
        {
            DevicesCommand.Create(),
            PatternCommand.Create(),
            PlanCommand.Create(),
            SimulateCommand.Create(),
            DesignCommand.Create(),
            AttendCommand.Create(),
            TrainCommand.Create(),
            GenerateCommand.Create(),
            ServeCommand.Create(),
            AttentionWorkerCommand.Create(),
            EvalCommand.Create(),
            ImportCommand.Create(),
            ExportCommand.Create(),
            BenchCommand.Create(),
            KernelsCommand.Create(),
            VerifyCommand.Create(),
            CompletionCommand.Create(),
        };
        HelpText.Apply(root);
        return root;
    }

    private static int Report(StandardStreams streams, Failure failure)
    {
        streams.Error.WriteLine($"error: {Failure.OneLine(failure.Message)}");
        return failure.ExitCode;
    }
}

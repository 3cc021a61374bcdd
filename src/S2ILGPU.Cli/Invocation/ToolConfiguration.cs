using System.CommandLine;

namespace S2ILGPU.Cli.Invocation;

/// <summary>What a command gets besides its options: the three streams.</summary>
internal sealed class ToolConfiguration : InvocationConfiguration
{
    public ToolConfiguration(StandardStreams streams)
    {
        (Input, Output, Error) = streams;
        EnableDefaultExceptionHandler = false;
        ProcessTerminationTimeout = null; // Interruption listens to the signals
    }

    /// <summary>Standard input where it is a file or a pipe; null on a terminal.</summary>
    public TextReader? Input { get; }
}

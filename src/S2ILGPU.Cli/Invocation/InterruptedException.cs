namespace S2ILGPU.Cli.Invocation;

/// <summary>A command was interrupted, and says more about it than that.</summary>
internal sealed class InterruptedException(string message) : OperationCanceledException(message);

namespace S2ILGPU.Cli.Invocation;

/// <summary>A command was interrupted, and says more about it than that.</summary>
/// <param name="message">What it says.</param>
/// <param name="inner">The cancellation; null where there is none.</param>
internal sealed class InterruptedException(string message, OperationCanceledException? inner = null)
    : OperationCanceledException(message, inner);

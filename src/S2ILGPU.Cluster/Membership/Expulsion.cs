using Orleans.Runtime;

namespace S2ILGPU.Cluster.Membership;

/// <summary>Learns that this instance is no member any more: the others gave it up, or its silo failed. Orleans would
/// end the process.</summary>
internal sealed class Expulsion : IFatalErrorHandler
{
    private readonly TaskCompletionSource<string> _reason = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Why; completes when it happens.</summary>
    public Task<string> Reason => _reason.Task;

    public bool IsUnexpected(Exception exception) =>
        exception is not (OperationCanceledException or ObjectDisposedException);

    public void OnFatalException(object? sender, string? context, Exception? exception) =>
        _reason.TrySetResult(exception?.Message ?? context ?? "the silo failed");
}

namespace S2ILGPU.Cli.Invocation;

/// <summary>Lets Ctrl+C end work that does not look at a token.</summary>
internal static class Interruptible
{
    /// <summary>Runs work on a thread of its own, and leaves it behind when the token is cancelled: for work that
    /// writes no file, before the process ends.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled first.</exception>
    public static Task<T> RunAsync<T>(Func<T> work, CancellationToken cancellation) =>
        Task.Run(work, CancellationToken.None).WaitAsync(cancellation);

    /// <summary>The same for a caller that waits.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled first.</exception>
    public static T Run<T>(Func<T> work, CancellationToken cancellation) =>
        RunAsync(work, cancellation).GetAwaiter().GetResult();
}

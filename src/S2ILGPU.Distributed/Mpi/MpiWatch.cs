using System.Diagnostics;

namespace S2ILGPU.Distributed.Mpi;

/// <summary>Ends a process whose call of MPI waits for a rank that does not come: such a call cannot be interrupted,
/// and no other may be made meanwhile.</summary>
/// <param name="deadlines">The longest that calls may take.</param>
/// <param name="failed">Told of it before the process is killed, which makes the launcher end all others; null for
/// none.</param>
internal sealed class MpiWatch(MpiDeadlines deadlines, Func<Exception, int>? failed)
{
    // What a timer takes.
    private static readonly TimeSpan s_longest = TimeSpan.FromMilliseconds(int.MaxValue);

    /// <summary>The longest that calls may take.</summary>
    public MpiDeadlines Deadlines => deadlines;

    /// <summary>Watches a call until what is returned is disposed.</summary>
    /// <param name="call">Its name.</param>
    /// <param name="deadline">The longest that it may take.</param>
    public IDisposable Begin(string call, TimeSpan deadline) => new Timer(_ => End(call, deadline), null,
        deadline < s_longest ? deadline : s_longest, Timeout.InfiniteTimeSpan);

    private void End(string call, TimeSpan deadline)
    {
        using var self = Process.GetCurrentProcess();
        try
        {
            failed?.Invoke(new TimeoutException($"{call} waited {deadline.TotalSeconds:0.#} s for another rank"));
        }
        finally
        {
            self.Kill();
        }
    }
}

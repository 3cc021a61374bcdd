using S2ILGPU.Collectives;

namespace S2ILGPU.Distributed.Hosts;

/// <summary>An operation as a sequence of steps, each of which starts messages that must be done before the next
/// step.</summary>
internal sealed class HostPending : Pending
{
    private readonly IEnumerator<IReadOnlyList<ITransfer>> _steps;

    /// <summary>Runs the first step.</summary>
    public HostPending(IEnumerable<IReadOnlyList<ITransfer>> steps)
    {
        _steps = steps.GetEnumerator();
        Next();
    }

    /// <inheritdoc/>
    public override bool Poll()
    {
        while (!IsComplete)
        {
            bool isDone = true;
            foreach (var transfer in _steps.Current)
                isDone &= transfer.Poll(); // all of them: each moves only when it is asked
            if (!isDone)
                return false;
            Next();
        }
        return true;
    }

    /// <inheritdoc/>
    public override void Wait()
    {
        while (!IsComplete)
        {
            foreach (var transfer in _steps.Current)
                transfer.Wait();
            Next();
        }
    }

    private void Next()
    {
        if (_steps.MoveNext())
            return;
        IsComplete = true;
        _steps.Dispose();
    }
}

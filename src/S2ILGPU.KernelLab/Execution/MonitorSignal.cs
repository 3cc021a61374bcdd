namespace S2ILGPU.KernelLab;

/// <summary>The signal that works everywhere.</summary>
internal sealed class MonitorSignal : Signal
{
    private readonly object _gate = new();
    private bool _isSet;

    internal override void Set()
    {
        lock (_gate)
        {
            _isSet = true;
            Monitor.Pulse(_gate);
        }
    }

    internal override void Wait()
    {
        while (!Wait(TimeSpan.FromDays(1)))
        {
        }
    }

    /// <summary>False if it was not set in time.</summary>
    internal bool Wait(TimeSpan timeout)
    {
        lock (_gate)
        {
            while (!_isSet)
            {
                if (!Monitor.Wait(_gate, timeout))
                    return false;
            }
            _isSet = false;
            return true;
        }
    }
}

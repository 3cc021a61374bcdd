using System.Threading.Channels;

namespace S2ILGPU.Serving.Tests;

/// <summary>A clock whose timers fire when the test says so.</summary>
internal sealed class GivenTimers : TimeProvider
{
    private readonly Channel<GivenTimer> _timers = Channel.CreateUnbounded<GivenTimer>();

    /// <summary>Number of timers that the test has not taken.</summary>
    public int Waiting => _timers.Reader.Count;

    /// <summary>The next timer, when it is there.</summary>
    public ValueTask<GivenTimer> NextAsync() => _timers.Reader.ReadAsync();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new GivenTimer(() => callback(state), dueTime);
        _timers.Writer.TryWrite(timer);
        return timer;
    }
}

/// <summary>A timer of <see cref="GivenTimers"/>.</summary>
internal sealed class GivenTimer(Action callback, TimeSpan dueTime) : ITimer
{
    public TimeSpan DueTime => dueTime;

    public void Fire() => callback();

    public bool Change(TimeSpan dueTime, TimeSpan period) => throw new NotSupportedException();

    public void Dispose()
    {
        // It fires when the test says so, or never.
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

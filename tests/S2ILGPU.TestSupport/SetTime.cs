namespace S2ILGPU.TestSupport;

/// <summary>A clock that the test sets.</summary>
public sealed class SetTime : TimeProvider
{
    /// <summary>Time since its beginning.</summary>
    public TimeSpan Now { get; set; }

    /// <inheritdoc/>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <inheritdoc/>
    public override long GetTimestamp() => Now.Ticks;
}

namespace S2ILGPU.Serving.Metrics;

/// <summary>A number that only grows. Thread-safe.</summary>
internal sealed class Counter
{
    private long _value;

    public long Value => Interlocked.Read(ref _value);

    public void Add(long count) => Interlocked.Add(ref _value, count);
}

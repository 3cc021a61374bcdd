namespace S2ILGPU.Serving.Metrics;

/// <summary>How many durations were at most each of some bounds. Thread-safe.</summary>
internal sealed class Histogram
{
    // Seconds: from a token of a tiny model to a long prompt.
    private static readonly double[] s_bounds =
        [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

    private readonly Lock _gate = new();
    private readonly long[] _counts = new long[s_bounds.Length];
    private long _count;
    private double _sum;

    public void Observe(double seconds)
    {
        lock (_gate)
        {
            _count++;
            _sum += seconds;
            for (int b = s_bounds.Length - 1; b >= 0 && seconds <= s_bounds[b]; b--)
                _counts[b]++;
        }
    }

    public void Write(MetricsText text, string name, string help)
    {
        lock (_gate)
        {
            text.Begin(name, "histogram", help);
            for (int b = 0; b < s_bounds.Length; b++)
                text.Sample($"{name}_bucket", _counts[b], FormattableString.Invariant($"le=\"{s_bounds[b]}\""));
            text.Sample($"{name}_bucket", _count, "le=\"+Inf\"");
            text.Sample($"{name}_sum", _sum);
            text.Sample($"{name}_count", _count);
        }
    }
}

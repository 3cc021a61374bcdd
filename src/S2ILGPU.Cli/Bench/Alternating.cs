using System.Diagnostics;

namespace S2ILGPU.Cli.Bench;

/// <summary>How often to measure.</summary>
/// <param name="Least">Rounds that are measured in any case.</param>
/// <param name="Most">Rounds after which enough is known.</param>
/// <param name="Seconds">Time after which no further round begins.</param>
/// <param name="WarmUpSeconds">Time to call the variants before the first round, twice each at least unless the first
/// call of all takes 10 seconds. A quarter of a second lets the compiler's background tiers replace what they compiled
/// quickly.</param>
internal readonly record struct Rounds(int Least, int Most, double Seconds, double WarmUpSeconds = 0.25);

/// <summary>What a measurement is.</summary>
/// <param name="LeastSeconds">Its least duration: short variants are called several times.</param>
/// <param name="Synchronize">Waits for work that still runs when a call returns; null where none does.</param>
/// <param name="Cancellation">Ends the run after the round under way.</param>
internal readonly record struct Measurement(double LeastSeconds, Action? Synchronize = null,
    CancellationToken Cancellation = default)
{
    /// <summary>Seconds of one call, the mean of several.</summary>
    public double Seconds(Action variant, int calls)
    {
        Synchronize?.Invoke();
        long began = Stopwatch.GetTimestamp();
        for (int call = 0; call < calls; call++)
            variant();
        Synchronize?.Invoke();
        return (Stopwatch.GetTimestamp() - began) / (double)Stopwatch.Frequency / calls;
    }
}

/// <summary>A stopwatch for several variants that are to be compared: A B C A B C ..., so that a machine that becomes
/// slower does so for all of them.</summary>
internal static class Alternating
{
    private const int MostCallsPerMeasurement = 1000;

    // After so long a round there is nothing left to compile.
    private const double LongWarmUpSeconds = 10;

    /// <summary>Measurements of a hundredth of a second: what the variant before left behind (spinning workers, cold
    /// caches) weighs little then.</summary>
    public static Measurement OfCalls { get; } = new(LeastSeconds: 0.01);

    /// <summary>Measures the variants in turn.</summary>
    /// <param name="rounds">How often.</param>
    /// <param name="variants">What to measure. Nothing else is called or allocated while the watch runs.</param>
    /// <returns>Seconds of one call per variant; measurement i of all variants belongs to the same round.</returns>
    public static Samples[] Time(Rounds rounds, params Action[] variants) => Time(rounds, OfCalls, variants);

    /// <summary>Measures the variants in turn.</summary>
    /// <param name="rounds">How often.</param>
    /// <param name="measurement">What is measured each time.</param>
    /// <param name="variants">What to measure. Nothing else is called or allocated while the watch runs, but for the
    /// measurement's own synchronisation.</param>
    /// <returns>Seconds of one call per variant; measurement i of all variants belongs to the same round.</returns>
    public static Samples[] Time(Rounds rounds, in Measurement measurement, Action[] variants)
    {
        int[] calls = WarmUp(rounds.WarmUpSeconds, measurement, variants);
        var seconds = new double[variants.Length][];
        for (int v = 0; v < seconds.Length; v++)
            seconds[v] = new double[rounds.Most];
        GC.Collect();
        long start = Stopwatch.GetTimestamp();
        int round = 0;
        for (; round < rounds.Most
            && (round < rounds.Least || Stopwatch.GetElapsedTime(start).TotalSeconds < rounds.Seconds); round++)
        {
            measurement.Cancellation.ThrowIfCancellationRequested();
            for (int v = 0; v < variants.Length; v++)
                seconds[v][round] = measurement.Seconds(variants[v], calls[v]);
        }
        return [.. seconds.Select(s => new Samples(s[..round]))];
    }

    /// <summary>Calls the variants until they are compiled for good and caches are filled; returns how many calls make
    /// up a measurement of each.</summary>
    private static int[] WarmUp(double seconds, in Measurement measurement, Action[] variants)
    {
        const int LeastRounds = 2, MostRounds = 50;
        var fastest = new double[variants.Length];
        Array.Fill(fastest, double.MaxValue);
        long start = Stopwatch.GetTimestamp();
        for (int round = 0; round == 0 || (round < MostRounds && Stopwatch.GetElapsedTime(start).TotalSeconds
            < (round < LeastRounds ? Math.Max(seconds, LongWarmUpSeconds) : seconds)); round++)
        {
            measurement.Cancellation.ThrowIfCancellationRequested();
            for (int v = 0; v < variants.Length; v++)
                fastest[v] = Math.Min(fastest[v], measurement.Seconds(variants[v], calls: 1));
        }
        double least = measurement.LeastSeconds;
        return [.. fastest.Select(s =>
            (int)Math.Clamp(Math.Ceiling(least / Math.Max(s, 1e-9)), 1, MostCallsPerMeasurement))];
    }
}

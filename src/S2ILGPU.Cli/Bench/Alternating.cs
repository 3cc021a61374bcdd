using System.Diagnostics;

namespace S2ILGPU.Cli.Bench;

/// <summary>How often to measure.</summary>
/// <param name="Least">Rounds that are measured in any case.</param>
/// <param name="Most">Rounds after which enough is known.</param>
/// <param name="Seconds">Time after which no further round begins.</param>
/// <param name="WarmUpSeconds">Time to call the variants before the first round, twice each at least. A quarter of a second lets the compiler's background
/// tiers replace what they compiled quickly.</param>
internal readonly record struct Rounds(int Least, int Most, double Seconds, double WarmUpSeconds = 0.25);

/// <summary>A stopwatch for several variants that are to be compared: A B C A B C ..., so that a machine that becomes slower does so for all of them.</summary>
internal static class Alternating
{
    // Short variants are called several times per measurement: what the variant before left behind (spinning workers, cold caches) then weighs little.
    private const double LeastSecondsPerMeasurement = 0.01;

    /// <summary>Measures the variants in turn.</summary>
    /// <param name="rounds">How often.</param>
    /// <param name="variants">What to measure. Nothing else is called or allocated while the watch runs.</param>
    /// <returns>Seconds of one call per variant; measurement i of all variants belongs to the same round.</returns>
    public static Samples[] Time(Rounds rounds, params Action[] variants)
    {
        int[] calls = WarmUp(rounds.WarmUpSeconds, variants);
        var seconds = new double[variants.Length][];
        for (int v = 0; v < seconds.Length; v++)
            seconds[v] = new double[rounds.Most];
        GC.Collect();
        long start = Stopwatch.GetTimestamp();
        int round = 0;
        for (; round < rounds.Most && (round < rounds.Least || Stopwatch.GetElapsedTime(start).TotalSeconds < rounds.Seconds); round++)
            for (int v = 0; v < variants.Length; v++)
                seconds[v][round] = Seconds(variants[v], calls[v]);
        return [.. seconds.Select(s => new Samples(s[..round]))];
    }

    /// <summary>Calls the variants until they are compiled for good; returns how many calls make up a measurement of each.</summary>
    private static int[] WarmUp(double seconds, Action[] variants)
    {
        const int LeastRounds = 2, MostRounds = 50;
        var fastest = new double[variants.Length];
        Array.Fill(fastest, double.MaxValue);
        long start = Stopwatch.GetTimestamp();
        for (int round = 0; round < LeastRounds || (round < MostRounds && Stopwatch.GetElapsedTime(start).TotalSeconds < seconds); round++)
            for (int v = 0; v < variants.Length; v++)
                fastest[v] = Math.Min(fastest[v], Seconds(variants[v], calls: 1));
        return [.. fastest.Select(s => (int)Math.Clamp(Math.Ceiling(LeastSecondsPerMeasurement / Math.Max(s, 1e-9)), 1, 1000))];
    }

    private static double Seconds(Action variant, int calls)
    {
        long began = Stopwatch.GetTimestamp();
        for (int call = 0; call < calls; call++)
            variant();
        return (Stopwatch.GetTimestamp() - began) / (double)Stopwatch.Frequency / calls;
    }
}

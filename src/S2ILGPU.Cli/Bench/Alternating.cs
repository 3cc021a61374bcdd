using System.Diagnostics;

namespace S2ILGPU.Cli.Bench;

/// <summary>How often to measure.</summary>
/// <param name="Least">Rounds that are measured in any case.</param>
/// <param name="Most">Rounds after which enough is known.</param>
/// <param name="Seconds">Time after which no further round begins.</param>
internal readonly record struct Rounds(int Least, int Most, double Seconds);

/// <summary>A stopwatch for several variants that are to be compared: A B C A B C ..., so that a machine that becomes slower does so for all of them.</summary>
internal static class Alternating
{
    // Enough for the compiler's background tiers to replace what they compiled quickly.
    private const double WarmUpSeconds = 0.25;

    // Short variants are called several times per measurement: what the variant before left behind (spinning workers, cold caches) then weighs little.
    private const double LeastSecondsPerMeasurement = 0.005;

    /// <summary>Measures the variants in turn.</summary>
    /// <param name="rounds">How often.</param>
    /// <param name="warmUpRounds">Rounds before the first measured one, at least; as many as a quarter of a second holds, when that is more.</param>
    /// <param name="variants">What to measure. Nothing else is called or allocated while the watch runs.</param>
    /// <returns>Seconds of one call per variant; measurement i of all variants belongs to the same round.</returns>
    public static Samples[] Time(Rounds rounds, int warmUpRounds, params Action[] variants)
    {
        int[] calls = WarmUp(warmUpRounds, variants);
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
    private static int[] WarmUp(int rounds, Action[] variants)
    {
        const int EnoughRounds = 50;
        var fastest = new double[variants.Length];
        Array.Fill(fastest, double.MaxValue);
        long start = Stopwatch.GetTimestamp();
        for (int round = 0; round < rounds || (round < EnoughRounds && Stopwatch.GetElapsedTime(start).TotalSeconds < WarmUpSeconds); round++)
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

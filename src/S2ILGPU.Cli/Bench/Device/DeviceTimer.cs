using System.Diagnostics;
using S2ILGPU.Backends;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>A stopwatch for work that may still run when a call returns: batches of calls between two synchronisations, variants in turn.</summary>
internal sealed class DeviceTimer(IBackend engine) : IDisposable
{
    private const int MostCallsPerBatch = 1000;

    private readonly Tensor _probe = engine.Zeros(1);

    /// <summary>Waits until the device has done everything.</summary>
    public void Synchronize()
    {
        Span<float> value = stackalloc float[1];
        engine.Download(_probe, value);
    }

    /// <summary>Measures the variants in turn: A B C A B C ..., so that a device that becomes slower does so for all of them.</summary>
    /// <param name="rounds">How often.</param>
    /// <param name="batchSeconds">Least duration of a batch of calls.</param>
    /// <param name="cancellation">Ends the run after the round under way.</param>
    /// <param name="variants">What to measure.</param>
    /// <returns>Seconds of one call per variant; measurement i of all variants belongs to the same round.</returns>
    public Samples[] Time(Rounds rounds, double batchSeconds, CancellationToken cancellation, params Action[] variants)
    {
        int[] calls = WarmUp(rounds.WarmUpSeconds, batchSeconds, variants);
        var seconds = new double[variants.Length][];
        for (int v = 0; v < seconds.Length; v++)
            seconds[v] = new double[rounds.Most];
        long start = Stopwatch.GetTimestamp();
        int round = 0;
        for (; round < rounds.Most && (round < rounds.Least || Stopwatch.GetElapsedTime(start).TotalSeconds < rounds.Seconds); round++)
        {
            cancellation.ThrowIfCancellationRequested();
            for (int v = 0; v < variants.Length; v++)
                seconds[v][round] = Seconds(variants[v], calls[v]);
        }
        return [.. seconds.Select(s => new Samples(s[..round]))];
    }

    public void Dispose() => _probe.Dispose();

    // The first call compiles and fills caches of lists and pages; the device's clock rises with the others.
    private int[] WarmUp(double seconds, double batchSeconds, Action[] variants)
    {
        const int LeastRounds = 2, MostRounds = 50;
        var fastest = new double[variants.Length];
        Array.Fill(fastest, double.MaxValue);
        long start = Stopwatch.GetTimestamp();
        for (int round = 0; round < LeastRounds || (round < MostRounds && Stopwatch.GetElapsedTime(start).TotalSeconds < seconds); round++)
            for (int v = 0; v < variants.Length; v++)
                fastest[v] = Math.Min(fastest[v], Seconds(variants[v], calls: 1));
        return [.. fastest.Select(s => (int)Math.Clamp(Math.Ceiling(batchSeconds / Math.Max(s, 1e-9)), 1, MostCallsPerBatch))];
    }

    private double Seconds(Action variant, int calls)
    {
        Synchronize();
        long began = Stopwatch.GetTimestamp();
        for (int call = 0; call < calls; call++)
            variant();
        Synchronize();
        return (Stopwatch.GetTimestamp() - began) / (double)Stopwatch.Frequency / calls;
    }
}

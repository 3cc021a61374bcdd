using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>A stopwatch for work that may still run when a call returns: batches of calls between two synchronisations,
/// variants in turn.</summary>
/// <param name="engine">The engine; stays with the caller.</param>
/// <param name="machine">The machine whose engine it is, where its limits are measured too.</param>
internal sealed class DeviceTimer(IEngine engine, BenchMachine? machine = null) : IDisposable
{
    private readonly Tensor _probe = engine.Zeros(1);

    /// <summary>Waits until the device has done everything.</summary>
    public void Synchronize()
    {
        Span<float> value = stackalloc float[1];
        engine.Download(_probe, value);
    }

    /// <summary>Measures the variants in turn: A B C A B C ..., so that a device that becomes slower does so for all of
    /// them.</summary>
    /// <param name="rounds">How often.</param>
    /// <param name="batchSeconds">Least duration of a batch of calls.</param>
    /// <param name="yardsticks">What to measure beside them where there is a machine.</param>
    /// <param name="cancellation">Ends the run after the round under way.</param>
    /// <param name="variants">What to measure.</param>
    /// <returns>Seconds of one call per variant; measurement i of all variants belongs to the same round.</returns>
    public Timings Time(Rounds rounds, double batchSeconds, Yardsticks yardsticks, CancellationToken cancellation,
        params Action[] variants)
    {
        var measurement = new Measurement(batchSeconds, Synchronize, cancellation);
        return machine is null ? new Timings(Alternating.Time(rounds, measurement, variants))
            : machine.Time(rounds, yardsticks, measurement, variants);
    }

    public void Dispose() => _probe.Dispose();
}

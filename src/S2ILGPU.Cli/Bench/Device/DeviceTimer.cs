using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Bench.Device;

/// <summary>A stopwatch for work that may still run when a call returns: batches of calls between two synchronisations,
/// variants in turn.</summary>
internal sealed class DeviceTimer(IEngine engine) : IDisposable
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
    /// <param name="cancellation">Ends the run after the round under way.</param>
    /// <param name="variants">What to measure.</param>
    /// <returns>Seconds of one call per variant; measurement i of all variants belongs to the same round.</returns>
    public Samples[] Time(Rounds rounds, double batchSeconds, CancellationToken cancellation,
        params Action[] variants) =>
        Alternating.Time(rounds, new Measurement(batchSeconds, Synchronize, cancellation), variants);

    public void Dispose() => _probe.Dispose();
}

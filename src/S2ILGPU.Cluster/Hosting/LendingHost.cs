using S2ILGPU.Cpu;
using S2ILGPU.Lending;
using S2ILGPU.Serving;

namespace S2ILGPU.Cluster.Hosting;

/// <summary>What this instance lends to others. Thread-safe.</summary>
/// <remarks>Lent pages lie in the memory of the host, and the CPU engine computes over them: the model's engine is
/// driven by the scheduler's thread, so that every layer of a debtor would wait for a step, and two instances that
/// borrow of each other for ever.</remarks>
internal sealed class LendingHost : IDisposable
{
    private readonly ModelServer _server;
    private readonly string _fingerprint;
    private readonly CpuEngine _engine = new();
    private readonly Lock _gate = new();
    private bool _isDraining;                                                           // under the gate

    /// <param name="server">Whose free pages are lent.</param>
    /// <param name="fingerprint">What it serves.</param>
    /// <param name="most">The most bytes; null for all that its limit leaves free.</param>
    public LendingHost(ModelServer server, string fingerprint, long? most)
    {
        long limit = server.Options.Scheduler.MaxBytes;
        (_server, _fingerprint, MostBytes) = (server, fingerprint,
            Math.Min(limit, most ?? (limit == long.MaxValue ? 0 : limit)));
        Lender = server.Scheduler.CreateLender(_engine);
    }

    public PageLender Lender { get; }

    /// <summary>The most bytes that are lent.</summary>
    public long MostBytes { get; }

    /// <summary>Bytes that would be lent now.</summary>
    public long FreeBytes
    {
        get
        {
            lock (_gate)
                return _isDraining ? 0 : Math.Max(0, Math.Min(_server.Scheduler.LendableBytes,
                    MostBytes - Lender.Counters.ReservedBytes));
        }
    }

    /// <inheritdoc cref="Wire.IInstance.LendAsync"/>
    public bool TryLend(Guid id, string fingerprint, int first, int count, long bytes)
    {
        lock (_gate)
            return !_isDraining && fingerprint == _fingerprint
                && bytes <= MostBytes - Lender.Counters.ReservedBytes && Lender.TryLend(id, first, count, bytes);
    }

    /// <summary>Lends no more.</summary>
    /// <returns>Completes when all pages are given back.</returns>
    public async Task DrainAsync()
    {
        lock (_gate)
            _isDraining = true;
        while (Lender.Counters.Loans > 0)
            await Task.Delay(TimeSpan.FromMilliseconds(50));
    }

    /// <summary>Ends all loans.</summary>
    public void Dispose()
    {
        Lender.Dispose();
        _engine.Dispose();
    }
}

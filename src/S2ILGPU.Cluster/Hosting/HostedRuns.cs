using System.Collections.Concurrent;
using S2ILGPU.Cluster.Wire;
using S2ILGPU.Scheduling;
using S2ILGPU.Serving;

namespace S2ILGPU.Cluster.Hosting;

/// <summary>What this instance runs for others. Thread-safe.</summary>
/// <remarks>A run whose tokens are not asked for during the lease ends: the instance that wanted them is
/// gone.</remarks>
internal sealed class HostedRuns : IDisposable
{
    private readonly ModelServer _server;
    private readonly string _fingerprint;
    private readonly TimeSpan _lease;
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<Guid, HostedRun> _runs = [];
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Timer _leases;
    private bool _isDraining;                                                           // under the gate

    public HostedRuns(ModelServer server, string fingerprint, TimeSpan lease)
    {
        (_server, _fingerprint, _lease) = (server, fingerprint, lease);
        _leases = new Timer(_ => EndUnasked(), null, lease / 4, lease / 4);
    }

    /// <summary>Runs that are here, finished ones too until the asking instance has all of their tokens.</summary>
    public int Count => _runs.Count;

    /// <inheritdoc cref="IInstance.StatusAsync"/>
    public InstanceReport Report(ulong[] prefixHashes)
    {
        bool isDraining;
        lock (_gate)
            isDraining = _isDraining;
        return new InstanceReport(_fingerprint, _server.IsReady && !isDraining, _server.Options.Scheduler.Sequences,
            _server.Counters, _server.Scheduler.KeptPrefixTokens(prefixHashes));
    }

    /// <inheritdoc cref="IInstance.SubmitAsync"/>
    public Submission Submit(Guid id, string fingerprint, GenerationRequest request)
    {
        if (fingerprint != _fingerprint)
            return new Submission(SubmissionOutcome.Refused, "the instance serves another model or configuration");
        lock (_gate)
        {
            if (_runs.ContainsKey(id))
                return new Submission(SubmissionOutcome.Accepted);
            if (_isDraining || !_server.IsReady)
                return new Submission(SubmissionOutcome.Refused, "the instance takes no requests");
            try
            {
                _runs[id] = new HostedRun(_server.Scheduler.Submit(request));
                return new Submission(SubmissionOutcome.Accepted);
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException)
            {
                return new Submission(e is ArgumentException ? SubmissionOutcome.Invalid : SubmissionOutcome.Refused,
                    e.Message);
            }
        }
    }

    /// <inheritdoc cref="IInstance.ReadAsync"/>
    public async Task<TokenBatch?> ReadAsync(Guid id, int position, TimeSpan wait) =>
        _runs.TryGetValue(id, out var run) ? await run.ReadAsync(position, wait) : null;

    /// <inheritdoc cref="IInstance.EndAsync"/>
    public void End(Guid id)
    {
        if (_runs.TryRemove(id, out var run))
            run.Dispose();
        CheckDrained();
    }

    /// <summary>Takes no more runs.</summary>
    /// <returns>Completes when the others have all tokens of the runs that are here.</returns>
    public Task DrainAsync()
    {
        lock (_gate)
            _isDraining = true;
        CheckDrained();
        return _drained.Task;
    }

    /// <summary>Ends all runs.</summary>
    public void Dispose()
    {
        _leases.Dispose();
        foreach (var id in _runs.Keys)
            End(id);
    }

    private void EndUnasked()
    {
        foreach (var (id, run) in _runs)
            if (run.Unasked > _lease)
                End(id);
    }

    private void CheckDrained()
    {
        lock (_gate)
            if (_isDraining && _runs.IsEmpty)
                _drained.TrySetResult();
    }
}

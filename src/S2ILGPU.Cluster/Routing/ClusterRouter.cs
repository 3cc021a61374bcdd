using Orleans.Runtime;
using S2ILGPU.Cluster.Hosting;
using S2ILGPU.Cluster.Membership;
using S2ILGPU.Cluster.Wire;
using S2ILGPU.Scheduling;
using S2ILGPU.Serving;
using S2ILGPU.Serving.Routing;

namespace S2ILGPU.Cluster.Routing;

/// <summary>Places each request on an instance of the cluster: by prefix, else by load, as all instances report them
/// when the request comes. Thread-safe.</summary>
internal sealed class ClusterRouter(ModelServer server, InstanceServices instances, HostedRuns hosted,
    string fingerprint, ClusterOptions options) : IRequestRouter
{
    private static readonly TimeSpan s_retry = TimeSpan.FromMilliseconds(100);

    private readonly Lock _gate = new();
    private readonly Dictionary<SiloAddress, int> _placed = [];                          // under the gate

    public async Task<ITokenStream> SubmitAsync(IReadOnlyList<GenerationRequest> requests,
        CancellationToken cancellation)
    {
        var stream = new RoutedStream(this, server.Metrics);
        Guid? group = requests.Count > 1 ? Guid.NewGuid() : null;
        try
        {
            foreach (var one in requests)
            {
                var request = one with { Group = one.Group ?? group };
                stream.Add(request, await PlaceAsync(request, cancellation));
            }
            stream.Complete();
            return stream;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    public async Task<IReadOnlyList<InstanceStatus>> InstancesAsync(CancellationToken cancellation) =>
        [.. (await CandidatesAsync([], cancellation)).Select(candidate => candidate.Status)];

    /// <summary>Submits a request to the best instance that takes it.</summary>
    /// <exception cref="ArgumentException">It cannot run on any.</exception>
    /// <exception cref="InvalidOperationException">None takes it now.</exception>
    public async Task<IRun> PlaceAsync(GenerationRequest request, CancellationToken cancellation)
    {
        Exception? refusal = null;
        var candidates = await CandidatesAsync(server.Scheduler.PrefixHashes(request.Prompt), cancellation);
        while (candidates.Count > 0)
        {
            var chosen = Choose(candidates, request.Choices);
            try
            {
                return new CountedRun(chosen.IsSelf
                    ? new LocalRun(server.Scheduler.Submit(request with { OnToken = null }))
                    : await SubmitRemoteAsync(chosen.Address, request, cancellation),
                    () => Count(chosen.Address, -request.Choices));
            }
            catch (Exception e)
            {
                Count(chosen.Address, -request.Choices);
                if (e is not (ArgumentException or InvalidOperationException or InstanceLostException))
                    throw;
                if (chosen.IsSelf || refusal is null)
                    refusal = e;
            }
        }
        throw refusal is ArgumentException or InvalidOperationException ? refusal
            : new InvalidOperationException("no instance takes the request", refusal);
    }

    /// <summary>Submits a request that ran before on an instance that is lost; waits while all queues are full.
    /// </summary>
    /// <exception cref="InvalidOperationException">No instance works.</exception>
    public async Task<IRun> ReplaceAsync(GenerationRequest request, CancellationToken cancellation)
    {
        while (true)
            try
            {
                return await PlaceAsync(request, cancellation);
            }
            catch (InvalidOperationException) when (server.Scheduler.Failure is null)
            {
                await Task.Delay(s_retry, cancellation);
            }
    }

    // This instance first. The others are asked all at once; one of another model, and one that is silent, is left out.
    private async Task<List<Candidate>> CandidatesAsync(ulong[] prefixHashes, CancellationToken cancellation)
    {
        var asked = await Task.WhenAll(instances.Others.Select(address =>
            AskAsync(address, prefixHashes, cancellation)));
        return [new Candidate(instances.Self, hosted.Report(prefixHashes), IsSelf: true),
            .. asked.OfType<Candidate>().OrderBy(candidate => candidate.Status.Name, StringComparer.Ordinal)];
    }

    private async Task<Candidate?> AskAsync(SiloAddress address, ulong[] prefixHashes, CancellationToken cancellation)
    {
        try
        {
            var report = await instances[address].StatusAsync(prefixHashes)
                .WaitAsync(options.StatusTimeout, cancellation);
            return report.Fingerprint == fingerprint ? new Candidate(address, report, IsSelf: false) : null;
        }
        catch (Exception) when (!cancellation.IsCancellationRequested)
        {
            return null;
        }
    }

    // Takes the best candidate out of the list and counts what it gets, so that requests that come at once spread.
    private Candidate Choose(List<Candidate> candidates, int sequences)
    {
        lock (_gate)
        {
            var best = PlacementState.Order(candidates, candidate =>
                candidate.State(_placed.GetValueOrDefault(candidate.Address))).First();
            candidates.Remove(best);
            Count(best.Address, sequences);
            return best;
        }
    }

    private void Count(SiloAddress address, int sequences)
    {
        lock (_gate)
            if ((_placed[address] = _placed.GetValueOrDefault(address) + sequences) == 0)
                _placed.Remove(address);
    }

    private async Task<IRun> SubmitRemoteAsync(SiloAddress address, GenerationRequest request,
        CancellationToken cancellation)
    {
        var id = Guid.NewGuid();
        var run = new RemoteRun(instances, address, id, options);
        try
        {
            var submission = await instances[address].SubmitAsync(id, fingerprint, request with { OnToken = null })
                .WaitAsync(cancellation);
            if (submission.Outcome != SubmissionOutcome.Accepted)
                throw submission.Outcome == SubmissionOutcome.Invalid ? new ArgumentException(submission.Message)
                    : new InvalidOperationException(submission.Message);
            server.Metrics.PlacedElsewhere.Add(1);
            return run;
        }
        catch (Exception e) when (e is not (ArgumentException or InvalidOperationException))
        {
            // It may have been accepted all the same.
            await run.DisposeAsync();
            throw e is OperationCanceledException ? e : new InstanceLostException(e.Message, e);
        }
    }

    private sealed class CountedRun(IRun run, Action end) : IRun
    {
        private int _isEnded;

        public TimeSpan? QueueTime => run.QueueTime;

        public IAsyncEnumerable<GeneratedToken> ReadAsync(CancellationToken cancellation) =>
            run.ReadAsync(cancellation);

        public ValueTask DisposeAsync()
        {
            if (Interlocked.Exchange(ref _isEnded, 1) == 0)
                end();
            return run.DisposeAsync();
        }
    }
}

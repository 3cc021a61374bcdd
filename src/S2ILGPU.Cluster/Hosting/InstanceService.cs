using Microsoft.Extensions.Logging;
using Orleans.Concurrency;
using Orleans.Runtime;
using S2ILGPU.Cluster.Wire;
using S2ILGPU.Scheduling;

namespace S2ILGPU.Cluster.Hosting;

/// <summary>The end of a silo that other instances call. A service of the silo and not a grain: when the instance is
/// lost, a call to it fails instead of finding an empty one elsewhere.</summary>
[Reentrant]
internal sealed class InstanceService(GrainId id, Silo silo, ILoggerFactory loggers, HostedRuns runs,
    LendingHost lending)
    : GrainService(id, silo, loggers), IInstance
{
    public Task<InstanceReport> StatusAsync(ulong[] prefixHashes) => Task.FromResult(runs.Report(prefixHashes));

    public Task<Submission> SubmitAsync(Guid id, string fingerprint, GenerationRequest request) =>
        Task.FromResult(runs.Submit(id, fingerprint, request));

    public Task<TokenBatch?> ReadAsync(Guid id, int position, TimeSpan wait) => runs.ReadAsync(id, position, wait);

    public Task EndAsync(Guid id)
    {
        runs.End(id);
        return Task.CompletedTask;
    }

    public Task<bool> LendAsync(Guid id, string fingerprint, int first, int count, long bytes) =>
        Task.Run(() => lending.TryLend(id, fingerprint, first, count, bytes));

    public Task PutAsync(Guid id, int layer, int[] places, byte[] pages) =>
        Task.Run(() => lending.Lender.Put(id, layer, places, pages));

    public Task<byte[]> AttendAsync(Guid id, int layer, int position, int tokens, byte[] query) =>
        Task.Run(() => lending.Lender.Attend(id, layer, position, tokens, query));

    public Task RenewAsync(Guid[] ids) => Task.Run(() => lending.Lender.Renew(ids));

    public Task ReturnAsync(Guid id) => Task.Run(() => lending.Lender.Return(id));
}

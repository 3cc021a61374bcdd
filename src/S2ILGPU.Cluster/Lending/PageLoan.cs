using System.Diagnostics;
using Orleans.Runtime;
using S2ILGPU.Cluster.Membership;
using S2ILGPU.Cluster.Wire;
using S2ILGPU.Lending;

namespace S2ILGPU.Cluster.Lending;

/// <summary>A loan of another instance. A call that timed out is repeated while the creditor is a member, up to the
/// lease: every call may be.</summary>
internal sealed class PageLoan(InstanceServices instances, SiloAddress creditor, LoanEntry entry,
    Cluster.ClusterOptions options, Action<Guid> end) : IPageLoan
{
    public LoanEntry Entry => entry;

    public SiloAddress Creditor => creditor;

    public int First => entry.First;

    public int Count => entry.Count;

    public async Task PutAsync(int layer, int[] places, byte[] pages) => await RepeatAsync(async () =>
    {
        await instances[creditor].PutAsync(entry.Id, layer, places, pages);
        return true;
    });

    public Task<byte[]> AttendAsync(int layer, int position, int tokens, byte[] query) =>
        RepeatAsync(() => instances[creditor].AttendAsync(entry.Id, layer, position, tokens, query));

    // The lease ends what this call does not.
    public void Dispose()
    {
        end(entry.Id);
        instances[creditor].ReturnAsync(entry.Id).Ignore();
    }

    private async Task<T> RepeatAsync<T>(Func<Task<T>> call)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
            try
            {
                return await call();
            }
            catch (TimeoutException) when (instances.IsActive(creditor)
                && Stopwatch.GetElapsedTime(start) < options.Lease)
            {
                // It may be busy.
            }
    }
}

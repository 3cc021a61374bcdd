using System.Diagnostics;
using System.Runtime.CompilerServices;
using Orleans.Runtime;
using S2ILGPU.Cluster.Membership;
using S2ILGPU.Cluster.Wire;
using S2ILGPU.Scheduling;

namespace S2ILGPU.Cluster.Routing;

/// <summary>A request on another instance, whose tokens are asked for by position: a call that failed is repeated, and
/// no token comes twice or not at all.</summary>
internal sealed class RemoteRun(InstanceServices instances, SiloAddress address, Guid id, ClusterOptions options) : IRun
{
    public TimeSpan? QueueTime { get; private set; }

    public async IAsyncEnumerable<GeneratedToken> ReadAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        int position = 0;
        for (bool isEnd = false; !isEnd;)
        {
            var batch = await ReadBatchAsync(position, cancellation);
            QueueTime = batch.QueueTime;
            foreach (var token in batch.Tokens)
            {
                // Only the lease cancels a run over there, when this instance was too slow.
                if (token.Finish == FinishReason.Cancelled)
                    throw Lost("it ended the run");
                position++;
                yield return token;
            }
            if (batch.Failure is not null)
                throw Lost(batch.Failure);
            isEnd = batch.IsEnd;
        }
    }

    // The lease ends what this call does not.
    public ValueTask DisposeAsync()
    {
        instances[address].EndAsync(id).Ignore();
        return ValueTask.CompletedTask;
    }

    private async Task<TokenBatch> ReadBatchAsync(int position, CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
            try
            {
                return await instances[address].ReadAsync(id, position, options.CallTimeout / 3)
                    .WaitAsync(cancellation) ?? throw Lost("it does not know the run");
            }
            catch (TimeoutException) when (instances.IsActive(address)
                && Stopwatch.GetElapsedTime(start) < options.Lease)
            {
                // It may be busy.
            }
            catch (Exception e) when (e is not (OperationCanceledException or InstanceLostException))
            {
                throw Lost(e.Message, e);
            }
    }

    private InstanceLostException Lost(string why, Exception? inner = null) =>
        new($"{InstanceServices.NameOf(address)}: {why}", inner);
}

using System.Runtime.CompilerServices;
using S2ILGPU.Scheduling;

namespace S2ILGPU.Cluster.Routing;

/// <summary>A request in this instance's own scheduler.</summary>
internal sealed class LocalRun(TokenStream stream) : IRun
{
    public TimeSpan? QueueTime => stream.Requests[0].QueueTime;

    public async IAsyncEnumerable<GeneratedToken> ReadAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        await using var tokens = stream.ReadAsync(cancellation).GetAsyncEnumerator(cancellation);
        while (await HasMoreAsync(tokens))
            yield return tokens.Current;
    }

    public ValueTask DisposeAsync()
    {
        stream.Dispose();
        return ValueTask.CompletedTask;
    }

    private static async ValueTask<bool> HasMoreAsync(IAsyncEnumerator<GeneratedToken> tokens)
    {
        try
        {
            return await tokens.MoveNextAsync();
        }
        catch (InvalidOperationException e)
        {
            throw new InstanceLostException(e.Message, e);
        }
    }
}

using S2ILGPU.Scheduling;

namespace S2ILGPU.Cluster.Routing;

/// <summary>A request that runs on some instance. Dispose it to cancel what still runs.</summary>
internal interface IRun : IAsyncDisposable
{
    /// <summary>How long it waited; null while it waits.</summary>
    TimeSpan? QueueTime { get; }

    /// <summary>Tokens of all choices, each once.</summary>
    /// <exception cref="InstanceLostException">The rest has to come from elsewhere.</exception>
    IAsyncEnumerable<GeneratedToken> ReadAsync(CancellationToken cancellation);
}

/// <summary>An instance answers no more, or cannot go on.</summary>
internal sealed class InstanceLostException(string message, Exception? inner = null) : Exception(message, inner);

namespace S2ILGPU.AttentionWorkers;

/// <summary>What attention on workers cost so far.</summary>
public sealed record AttentionWorkerFigures
{
    /// <summary>Addresses of the workers, those that are connected now.</summary>
    public IReadOnlyList<string> Workers { get; init; } = [];

    /// <summary>CPU seconds of each worker's process, as it said with its last answer.</summary>
    public IReadOnlyList<double> WorkerCpuSeconds { get; init; } = [];

    /// <summary>Seconds that each worker computed, with taking tensors from frames and sending
    /// outputs.</summary>
    public IReadOnlyList<double> WorkerBusySeconds { get; init; } = [];

    /// <summary>Bytes of queries, keys and values that were sent.</summary>
    public long TensorBytesSent { get; init; }

    /// <summary>Bytes of outputs that were received.</summary>
    public long TensorBytesReceived { get; init; }

    /// <summary>All bytes that were sent.</summary>
    public long BytesSent { get; init; }

    /// <summary>All bytes that were received.</summary>
    public long BytesReceived { get; init; }

    /// <summary>Seconds from queries to their outputs, over all layers and passes.</summary>
    public double AwaySeconds { get; init; }

    /// <summary>Seconds of these in which the model's thread waited and had nothing else to do.</summary>
    public double WaitSeconds { get; init; }

    /// <summary>Times that a worker was lost and the cache computed again.</summary>
    public long Losses { get; init; }
}

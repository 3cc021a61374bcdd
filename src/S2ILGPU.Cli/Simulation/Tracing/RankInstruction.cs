namespace S2ILGPU.Cli.Simulation.Tracing;

/// <summary>Which ranks take part in a message.</summary>
internal enum RankGroup
{
    /// <summary>All ranks.</summary>
    All,

    /// <summary>The ranks that have the same part of the layers.</summary>
    Replicas,

    /// <summary>The ranks that share a sequence.</summary>
    Context,

    /// <summary>The ranks that share the layers.</summary>
    Tensor,
}

/// <summary>The operations of <see cref="Collectives.ICollective"/> that a training step uses.</summary>
internal enum CollectiveKind
{
    AllReduce,
    AllGather,
    ReduceScatter,
    AllToAll,
}

/// <summary>One thing that a rank does in a step.</summary>
internal abstract record RankInstruction;

/// <summary>It computes.</summary>
internal sealed record Compute(Operation Operation) : RankInstruction;

/// <summary>It begins an exchange.</summary>
/// <param name="Group">With whom.</param>
/// <param name="Kind">What.</param>
/// <param name="Number">Number of the exchange among those of the group.</param>
/// <param name="SentBytes">Bytes that the rank sends.</param>
/// <param name="ReceivedBytes">Bytes that it receives.</param>
internal sealed record Begin(RankGroup Group, CollectiveKind Kind, int Number, double SentBytes, double ReceivedBytes)
    : RankInstruction;

/// <summary>It waits for an exchange.</summary>
internal sealed record Await(RankGroup Group, int Number) : RankInstruction;

namespace S2ILGPU.Collectives;

/// <summary>A rank of a group has failed, and with it what the others did together with it.</summary>
/// <param name="rank">The rank.</param>
/// <param name="message">What happened to it.</param>
/// <param name="inner">Its exception; null where only its end is known.</param>
public sealed class RankFailedException(int rank, string message, Exception? inner = null)
    : Exception($"rank {rank}: {message}", inner)
{
    /// <summary>The rank that failed.</summary>
    public int Rank { get; } = rank;

    /// <summary>What happened to it, without the rank.</summary>
    public string Reason { get; } = message;
}

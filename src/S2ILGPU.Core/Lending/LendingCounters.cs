namespace S2ILGPU.Lending;

/// <summary>What an instance borrowed so far. Bytes are those of tensors.</summary>
public readonly record struct BorrowingCounters
{
    /// <summary>Pages of other instances that are in use for sequences of this one.</summary>
    public long Pages { get; init; }

    /// <summary>Bytes of keys and values that were sent, each once.</summary>
    public long PageBytesSent { get; init; }

    /// <summary>Bytes of queries that were sent.</summary>
    public long QueryBytesSent { get; init; }

    /// <summary>Bytes of outputs and log-sum-exps that were received.</summary>
    public long OutputBytesReceived { get; init; }

    /// <summary>Times that a sequence was computed again because an instance with its pages was lost.</summary>
    public long Losses { get; init; }
}

/// <summary>What an instance lends now.</summary>
/// <param name="Loans">Number of loans.</param>
/// <param name="ReservedBytes">Bytes that they may take.</param>
/// <param name="UsedPages">Pages that were written.</param>
/// <param name="UsedBytes">Bytes of these.</param>
public readonly record struct LendingCounters(int Loans, long ReservedBytes, long UsedPages, long UsedBytes);

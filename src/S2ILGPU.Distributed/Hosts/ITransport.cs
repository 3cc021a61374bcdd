namespace S2ILGPU.Distributed.Hosts;

/// <summary>Messages between the memories of ranks: all that a transport has to bring.</summary>
/// <remarks>Messages between two ranks with one tag come in the order in which they were sent. Not thread-safe: it
/// belongs to the thread of its rank.</remarks>
internal interface ITransport : IDisposable
{
    /// <summary>What a person calls it, as in <c>Open MPI 4.1.4</c>.</summary>
    string Name { get; }

    /// <summary>Number of this rank, from 0.</summary>
    int Rank { get; }

    /// <summary>Number of ranks.</summary>
    int Size { get; }

    /// <summary>The longest that a rank waits for another one.</summary>
    TimeSpan Deadline { get; }

    /// <summary>Ends a rank that waits elsewhere than here, where the failure of another rank is known.</summary>
    /// <exception cref="Collectives.RankFailedException">A rank has failed.</exception>
    void ThrowIfFailed();

    /// <summary>Starts to send; the memory must stay as it is until that is done.</summary>
    ITransfer Send(HostMemory memory, long offsetBytes, int countBytes, int to, int tag);

    /// <summary>Starts to receive exactly as many bytes as are sent.</summary>
    ITransfer Receive(HostMemory memory, long offsetBytes, int countBytes, int from, int tag);

    /// <summary>The same over some of the ranks; each of them calls it with the same arguments.</summary>
    /// <param name="members">The ranks of the new group, in its order.</param>
    /// <param name="color">Its number among those that are made together.</param>
    ITransport Split(int[] members, int color);
}

/// <summary>A message under way.</summary>
internal interface ITransfer
{
    /// <summary>Moves it on as far as it goes without waiting.</summary>
    /// <returns>Whether it is done.</returns>
    bool Poll();

    /// <summary>Waits until it is done.</summary>
    /// <exception cref="TimeoutException">It was not within the deadline.</exception>
    void Wait();
}

namespace S2ILGPU.Collectives;

/// <summary>A collective operation under way: its tensors belong to it until it is complete.</summary>
/// <remarks>Nothing moves by itself where a transport needs its caller's processor, so long computations call <see
/// cref="Poll"/> now and then. Not thread-safe: it belongs to the thread of its rank.</remarks>
public abstract class Pending
{
    /// <summary>Whether the operation is complete and its results can be read.</summary>
    public bool IsComplete { get; protected set; }

    /// <summary>Moves the operation on as far as it goes without waiting.</summary>
    /// <returns>Whether it is complete.</returns>
    /// <exception cref="RankFailedException">A rank has failed.</exception>
    public abstract bool Poll();

    /// <summary>Waits until the operation is complete.</summary>
    /// <exception cref="RankFailedException">A rank has failed.</exception>
    /// <exception cref="TimeoutException">Another rank did not come within the deadline of the transport.</exception>
    public abstract void Wait();
}

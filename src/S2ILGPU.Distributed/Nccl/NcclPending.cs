using System.Diagnostics;
using S2ILGPU.Collectives;

namespace S2ILGPU.Distributed.Nccl;

/// <summary>An operation that is in the queue of the device: complete when the device is past it.</summary>
/// <param name="communicator">Where it was queued.</param>
/// <param name="mark">The end of the operation in the queue.</param>
internal sealed class NcclPending(NcclCommunicator communicator, long mark) : Pending
{
    /// <inheritdoc/>
    public override bool Poll() => IsComplete = IsComplete || communicator.HasReached(mark);

    /// <inheritdoc/>
    // The host waits too: a device that waits for a rank that has failed would never come back to it.
    public override void Wait()
    {
        long started = Stopwatch.GetTimestamp();
        while (!Poll())
        {
            Thread.Yield();
            if (Stopwatch.GetElapsedTime(started) > communicator.Deadline)
                throw new TimeoutException($"rank {communicator.Rank} waited "
                    + $"{communicator.Deadline.TotalSeconds:0.#} s for an exchange between devices");
        }
    }
}

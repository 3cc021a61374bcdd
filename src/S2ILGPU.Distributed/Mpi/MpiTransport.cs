using System.Diagnostics;
using S2ILGPU.Distributed.Hosts;

namespace S2ILGPU.Distributed.Mpi;

/// <summary>Messages between processes that an MPI launcher started.</summary>
/// <param name="library">The library.</param>
/// <param name="communicator">The group.</param>
/// <param name="deadline">The longest that a rank waits for a message.</param>
internal sealed class MpiTransport(MpiLibrary library, nint communicator, TimeSpan deadline) : ITransport
{
    private bool _isDisposed;

    /// <inheritdoc/>
    public string Name { get; } = library.Version;

    /// <inheritdoc/>
    public int Rank { get; } = library.Rank(communicator);

    /// <inheritdoc/>
    public int Size { get; } = library.Size(communicator);

    /// <inheritdoc/>
    public TimeSpan Deadline => deadline;

    /// <inheritdoc/>
    public void ThrowIfFailed()
    {
        // the launcher ends all processes when one has failed
    }

    /// <inheritdoc/>
    public ITransfer Send(HostMemory memory, long offsetBytes, int countBytes, int to, int tag) =>
        new Transfer(this, memory, library.Send(communicator, memory.At(offsetBytes), countBytes, to, tag), to);

    /// <inheritdoc/>
    public ITransfer Receive(HostMemory memory, long offsetBytes, int countBytes, int from, int tag) =>
        new Transfer(this, memory, library.Receive(communicator, memory.At(offsetBytes), countBytes, from, tag), from);

    /// <inheritdoc/>
    public ITransport Split(int[] members, int color) =>
        new MpiTransport(library, library.Split(communicator, color, Array.IndexOf(members, Rank)), deadline);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        if (communicator == library.World)
            library.Finish();
        else
            library.Free(communicator);
    }

    private sealed class Transfer(MpiTransport owner, HostMemory memory, nint request, int peer) : ITransfer
    {
        private readonly HostMemory _memory = memory; // alive while the library uses it
        private nint _request = request;
        private bool _isDone;

        public bool Poll()
        {
            _isDone = _isDone || owner.Test(ref _request);
            GC.KeepAlive(_memory);
            return _isDone;
        }

        // A waiting rank gives its processor away: ranks often share one.
        public void Wait()
        {
            long started = Stopwatch.GetTimestamp();
            while (!Poll())
            {
                Thread.Yield();
                if (Stopwatch.GetElapsedTime(started) > owner.Deadline)
                    throw new TimeoutException(
                        $"rank {owner.Rank} waited {owner.Deadline.TotalSeconds:0.#} s for rank {peer}");
            }
        }
    }

    private bool Test(ref nint request) => library.Test(ref request);
}

using System.Diagnostics;
using S2ILGPU.Distributed.Hosts;
using S2ILGPU.Engines;

namespace S2ILGPU.Distributed.Nccl;

/// <summary>This rank's part of a group of devices: queues calls on the stream of its device, and ends them all when
/// one fails here or on another rank.</summary>
internal sealed class NcclCommunicator : IDisposable
{
    // A rank that fails breaks its connections a little before its message arrives.
    private static readonly TimeSpan s_mostForMessage = TimeSpan.FromSeconds(10);

    private readonly NcclLibrary _library;
    private readonly IDeviceMemory _memory;
    private readonly ITransport _ranks;
    private nint _handle;
    private long _mark;
    private Exception? _failure;

    /// <summary>Joins a group; waits for all of it.</summary>
    /// <param name="library">NCCL.</param>
    /// <param name="memory">The device of this rank.</param>
    /// <param name="ranks">The same group on the host.</param>
    /// <param name="id">Its name.</param>
    /// <param name="isAlone">Whether the group is this rank alone, whatever the host's is.</param>
    public NcclCommunicator(NcclLibrary library, IDeviceMemory memory, ITransport ranks, NcclUniqueId id,
        bool isAlone = false)
    {
        (_library, _memory, _ranks) = (library, memory, ranks);
        memory.MakeCurrent();
        try
        {
            _handle = isAlone ? library.Join(id, 1, 0) : library.Join(id, ranks.Size, ranks.Rank);
        }
        finally
        {
            memory.MakeCurrent();
        }
    }

    /// <summary>The longest that this rank waits for another one.</summary>
    public TimeSpan Deadline => _ranks.Deadline;

    /// <summary>This rank on the host.</summary>
    public int Rank => _ranks.Rank;

    /// <summary>Queues calls as one group: all of them go on together.</summary>
    /// <param name="calls">Gets the library, the communicator and the stream.</param>
    public void Queue(Action<NcclLibrary, nint, nint> calls)
    {
        ThrowIfFailed();
        _memory.MakeCurrent();
        try
        {
            _library.GroupStart();
            try
            {
                calls(_library, _handle, _memory.Stream);
            }
            catch
            {
                _library.GroupDrop();
                throw;
            }
            _library.GroupEnd();
        }
        catch (NcclException exception)
        {
            Fail(exception);
            throw;
        }
        finally
        {
            _memory.MakeCurrent();
        }
    }

    /// <summary>What was queued so far, as an operation under way.</summary>
    public NcclPending Pending() => new(this, _mark = _memory.Mark());

    /// <summary>Whether the device has done what was queued before a mark.</summary>
    /// <exception cref="NcclException">It failed.</exception>
    /// <exception cref="Collectives.RankFailedException">Another rank has failed.</exception>
    public bool HasReached(long mark)
    {
        ThrowIfFailed();
        return _memory.HasReached(mark);
    }

    /// <summary>Ends this rank's part, and what is still under way.</summary>
    public void Dispose()
    {
        if (_handle != 0 && _memory.HasReached(_mark))
        {
            _memory.MakeCurrent();
            _library.Destroy(_handle);
            _memory.MakeCurrent();
            _handle = 0;
        }
        Abort();
    }

    private void ThrowIfFailed()
    {
        if (_failure is not null)
            throw new InvalidOperationException($"an exchange has failed before: {_failure.Message}", _failure);
        ObjectDisposedException.ThrowIf(_handle == 0, this);
        if (_library.AsyncError(_handle) is { } exception)
        {
            Fail(exception);
            throw exception;
        }
        try
        {
            _ranks.ThrowIfFailed();
        }
        catch (Exception failure)
        {
            _failure = failure;
            Abort(); // the device would wait for that rank without an end
            throw;
        }
    }

    // Throws the failure of another rank where that is the cause.
    private void Fail(NcclException exception)
    {
        _failure = exception;
        Abort();
        for (long started = Stopwatch.GetTimestamp(); exception.IsRemote
            && Stopwatch.GetElapsedTime(started) < s_mostForMessage; Thread.Sleep(10))
            _ranks.ThrowIfFailed();
        _ranks.ThrowIfFailed();
    }

    private void Abort()
    {
        if (_handle == 0)
            return;
        _memory.MakeCurrent();
        _library.Abort(_handle);
        _memory.MakeCurrent();
        _handle = 0;
    }
}

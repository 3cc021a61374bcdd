using System.Diagnostics;
using System.Numerics;
using System.Runtime.ExceptionServices;
using S2ILGPU.Tensors;

namespace S2ILGPU.Engines;

/// <summary>
/// The memory of an engine, for those who write one: a returned buffer waits in the stack of its size class for the
/// next request of that class, so that a steady state never asks the system for memory.
/// </summary>
/// <remarks>
/// <para>Class boundaries are <c>2^e (n, n + 1, .. 2n - 1) / n</c> bytes with n classes per doubling, from 256 bytes
/// on: a buffer is at most 1/n larger than what was asked for.</para>
/// <para>A buffer is handed out as it was returned, uncleared. An engine whose work is queued may return buffers that
/// queued work still uses, if all work runs in order.</para>
/// <para>Renting and returning take O(1) and allocate nothing but what a stack needs to grow. Not thread-safe: an
/// engine's memory belongs to the thread that drives it.</para>
/// </remarks>
/// <typeparam name="TBuffer">The engine's buffers. Their size is that of their class; the last holder's <see
/// cref="DeviceBuffer.Release"/> should call <see cref="Return"/>.</typeparam>
/// <param name="engine">The engine, for the exception after <see cref="Dispose"/>.</param>
/// <param name="classesPerDoubling">Size classes between 2^e and 2^(e+1) bytes: a power of two, at most 256.</param>
public abstract class CachingAllocator<TBuffer>(Type engine, int classesPerDoubling) : IDisposable
    where TBuffer : DeviceBuffer
{
    private const int SmallestBytes = 256;

    private readonly Stack<TBuffer>?[] _idle = new Stack<TBuffer>?[64 * classesPerDoubling];
    private readonly HashSet<TBuffer> _all = [];
    private bool _disposed;

    /// <summary>Bytes that were asked for and not returned.</summary>
    public long UsedBytes { get; private set; }

    /// <summary>The most that <see cref="UsedBytes"/> ever was.</summary>
    public long PeakBytes { get; private set; }

    /// <summary>Bytes that wait for their next use.</summary>
    public long IdleBytes { get; private set; }

    /// <summary>Bytes taken from the system, in use and idle.</summary>
    public long ReservedBytes { get; private set; }

    /// <summary>Number of buffers in use: back to where it was after a call that leaks nothing.</summary>
    public int LiveBuffers { get; private set; }

    /// <summary>Number of pieces taken from the system, in use and idle.</summary>
    public int Pieces => _all.Count;

    /// <summary>A buffer of at least the given size, from the cache where possible.</summary>
    /// <param name="sizeBytes">Size in bytes, 0 included.</param>
    /// <returns>A buffer without a reference; to be given to <see cref="Return"/>.</returns>
    /// <exception cref="ObjectDisposedException">The engine was disposed.</exception>
    /// <exception cref="OutOfMemoryException">There is no such piece, even after idle memory was given
    /// back.</exception>
    public TBuffer Rent(long sizeBytes)
    {
        var buffer = RentScratch(sizeBytes);
        buffer.HeldBytes = sizeBytes;
        UsedBytes += sizeBytes;
        PeakBytes = Math.Max(PeakBytes, UsedBytes);
        return buffer;
    }

    /// <summary>As <see cref="Rent"/>, but not counted in <see cref="UsedBytes"/>: memory that a call needs for
    /// itself.</summary>
    /// <param name="sizeBytes">Size in bytes, 0 included.</param>
    /// <returns>A buffer without a reference; to be given to <see cref="Return"/>.</returns>
    /// <exception cref="ObjectDisposedException">The engine was disposed.</exception>
    /// <exception cref="OutOfMemoryException">There is no such piece, even after idle memory was given
    /// back.</exception>
    public TBuffer RentScratch(long sizeBytes)
    {
        ObjectDisposedException.ThrowIf(_disposed, engine);
        int sizeClass = SizeClass(sizeBytes, out long classBytes);
        TBuffer buffer;
        if (_idle[sizeClass] is { Count: > 0 } stack)
        {
            buffer = stack.Pop();
            IdleBytes -= classBytes;
        }
        else
        {
            _all.Add(buffer = Allocate(sizeBytes, classBytes));
            ReservedBytes += classBytes;
        }
        Debug.Assert(buffer.SizeBytes == classBytes,
            $"a buffer of {buffer.SizeBytes} bytes in the class of {classBytes}");
        buffer.HeldBytes = 0;
        LiveBuffers++;
        OnRented(buffer);
        return buffer;
    }

    /// <summary>Takes a buffer back; does nothing after <see cref="Dispose"/>.</summary>
    /// <param name="buffer">A buffer of this allocator that is not idle.</param>
    public void Return(TBuffer buffer)
    {
        if (_disposed)
            return;
        LiveBuffers--;
        UsedBytes -= buffer.HeldBytes;
        IdleBytes += buffer.SizeBytes;
        (_idle[SizeClass(buffer.SizeBytes, out _)] ??= new Stack<TBuffer>()).Push(buffer);
    }

    /// <summary>Gives idle memory back to the system. Engines with queued work wait for it first.</summary>
    public virtual void Trim()
    {
        foreach (var stack in _idle)
            while (stack is { Count: > 0 })
            {
                var buffer = stack.Pop();
                _all.Remove(buffer);
                ReservedBytes -= buffer.SizeBytes;
                IdleBytes -= buffer.SizeBytes;
                Free(buffer);
            }
    }

    /// <summary>Frees everything, buffers in use too. When some cannot be freed, the others are, and then the first
    /// exception is thrown.</summary>
    public void Dispose()
    {
        _disposed = true;
        Exception? first = null;
        foreach (var buffer in _all)
            try
            {
                Free(buffer);
            }
            catch (Exception exception)
            {
                first ??= exception;
            }
        _all.Clear();
        if (first is not null)
            ExceptionDispatchInfo.Throw(first);
    }

    /// <summary>Takes a piece from the system, after a <see cref="Trim"/> where that is needed.</summary>
    /// <param name="sizeBytes">What was asked for, for messages.</param>
    /// <param name="classBytes">Size of the piece: that of the class.</param>
    /// <returns>A new buffer of <paramref name="classBytes"/>.</returns>
    protected abstract TBuffer Allocate(long sizeBytes, long classBytes);

    /// <summary>A buffer is about to be handed out; does nothing unless overridden. The engines' tests fill it with NaN
    /// here, so that a kernel that reads unwritten memory fails.</summary>
    /// <param name="buffer">New, or as it was returned.</param>
    protected virtual void OnRented(TBuffer buffer)
    {
    }

    /// <summary>Gives the memory of a buffer back to the system. Tensors may still hold the buffer.</summary>
    /// <param name="buffer">A buffer of this allocator.</param>
    protected abstract void Free(TBuffer buffer);

    private int SizeClass(long sizeBytes, out long classBytes)
    {
        long size = Math.Max(sizeBytes, SmallestBytes);
        int exponent = BitOperations.Log2((ulong)size);
        long step = (1L << exponent) / classesPerDoubling, steps = (size + step - 1) / step; // n..2n
        classBytes = steps * step;
        // 2n steps are the next doubling's first class
        return exponent * classesPerDoubling + (int)(steps - classesPerDoubling);
    }
}

using System.Numerics;
using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.Tensors;

namespace S2ILGPU.Memory;

/// <summary>
/// Caching allocator of device memory: a returned buffer waits in the stack of its size class for the next request of that class, so that a steady state never asks the
/// driver for memory.
/// </summary>
/// <remarks>
/// Eight classes per doubling waste at most an eighth. A returned buffer may be handed out while kernels still use it: all work runs on one stream, in order. When the device is full, the idle buffers
/// are freed once and the request is tried again.
/// </remarks>
/// <param name="accelerator">The device; stays with the caller.</param>
/// <param name="limitBytes">Bytes that may be held at most, in use and idle.</param>
internal sealed class DeviceAllocator(Accelerator accelerator, long limitBytes) : IDisposable
{
    private const int ClassesPerDoubling = 8, SmallestBytes = 256;

    private readonly Stack<IlgpuBuffer>?[] _idle = new Stack<IlgpuBuffer>?[64 * ClassesPerDoubling];
    private readonly HashSet<IlgpuBuffer> _all = [];
    private bool _disposed;

    /// <summary>Bytes that were asked for and not returned.</summary>
    public long UsedBytes { get; private set; }

    /// <summary>The most that <see cref="UsedBytes"/> ever was.</summary>
    public long PeakBytes { get; private set; }

    /// <summary>Bytes that wait for their next use.</summary>
    public long IdleBytes { get; private set; }

    /// <summary>Number of buffers that somebody holds: back to where it was after a call that leaks nothing.</summary>
    public int LiveBuffers { get; private set; }

    /// <summary>Number of pieces taken from the driver, in use and idle.</summary>
    public int Pieces => _all.Count;

    /// <summary>A buffer of at least the given size, from the cache where possible.</summary>
    /// <exception cref="InsufficientMemoryException">The device has no such piece, even after idle memory was freed.</exception>
    public IlgpuBuffer Rent(long sizeBytes)
    {
        ObjectDisposedException.ThrowIf(_disposed, typeof(IlgpuBackend));
        int sizeClass = SizeClass(sizeBytes, out long classBytes);
        IlgpuBuffer buffer;
        if (_idle[sizeClass] is { Count: > 0 } stack)
        {
            buffer = stack.Pop();
            IdleBytes -= buffer.SizeBytes;
        }
        else
            _all.Add(buffer = new IlgpuBuffer(this, Allocate(sizeBytes, classBytes), classBytes));
        buffer.HeldBytes = sizeBytes;
        LiveBuffers++;
        UsedBytes += sizeBytes;
        PeakBytes = Math.Max(PeakBytes, UsedBytes);
        return buffer;
    }

    /// <summary>Takes a buffer back.</summary>
    public void Return(IlgpuBuffer buffer)
    {
        if (_disposed)
            return;
        LiveBuffers--;
        UsedBytes -= buffer.HeldBytes;
        IdleBytes += buffer.SizeBytes;
        (_idle[SizeClass(buffer.SizeBytes, out _)] ??= new Stack<IlgpuBuffer>()).Push(buffer);
    }

    /// <summary>Gives idle memory back to the driver.</summary>
    public void Trim()
    {
        accelerator.Synchronize(); // queued kernels may still use what was returned, and a driver need not wait for them
        foreach (var stack in _idle)
            while (stack is { Count: > 0 })
            {
                var buffer = stack.Pop();
                _all.Remove(buffer);
                buffer.Free();
            }
        IdleBytes = 0;
    }

    /// <summary>Frees everything, buffers in use too.</summary>
    public void Dispose()
    {
        _disposed = true;
        foreach (var buffer in _all)
            buffer.Free();
        _all.Clear();
    }

    private MemoryBuffer1D<int, Stride1D.Dense> Allocate(long sizeBytes, long classBytes)
    {
        if (_all.Sum(buffer => buffer.SizeBytes) + classBytes > limitBytes)
            Trim();
        if (_all.Sum(buffer => buffer.SizeBytes) + classBytes > limitBytes)
            throw OutOfMemory(sizeBytes, null);
        try
        {
            return accelerator.Allocate1D<int>(classBytes / sizeof(int));
        }
        catch (Exception) // drivers report a full device in different exceptions; what is wrong otherwise is wrong again below
        {
            Trim();
        }
        try
        {
            return accelerator.Allocate1D<int>(classBytes / sizeof(int));
        }
        catch (Exception exception)
        {
            throw OutOfMemory(sizeBytes, exception);
        }
    }

    private InsufficientMemoryException OutOfMemory(long sizeBytes, Exception? inner) => new(
        $"{accelerator.Name}: no room for {sizeBytes:N0} bytes; tensors hold {UsedBytes:N0} bytes in {LiveBuffers} buffers, the device has {limitBytes:N0}", inner);

    // Class boundaries are 2^e * (8, 9, .. 15) / 8.
    private static int SizeClass(long sizeBytes, out long classBytes)
    {
        long size = Math.Max(sizeBytes, SmallestBytes);
        int exponent = BitOperations.Log2((ulong)size);
        long step = (1L << exponent) / ClassesPerDoubling, steps = (size + step - 1) / step; // 8..16
        classBytes = steps * step;
        return exponent * ClassesPerDoubling + (int)(steps - ClassesPerDoubling); // 16 steps are the next doubling's first class
    }
}

/// <summary>A piece of device memory. The object outlives its tensors: the allocator hands it out again.</summary>
internal sealed class IlgpuBuffer(DeviceAllocator owner, MemoryBuffer1D<int, Stride1D.Dense> memory, long sizeBytes) : DeviceBuffer(sizeBytes)
{
    private MemoryBuffer1D<int, Stride1D.Dense>? _memory = memory;

    /// <summary>The memory as 32-bit words; aligned to at least 256 bytes.</summary>
    /// <exception cref="ObjectDisposedException">The engine was disposed.</exception>
    public ArrayView<int> Words => (_memory ?? throw new ObjectDisposedException(nameof(IlgpuBackend), "the engine that owns this tensor was disposed")).View.BaseView;

    /// <summary>The allocator that the buffer goes back to; tensors of another engine have another one.</summary>
    public DeviceAllocator Owner => owner;

    /// <summary>What the present holder asked for; <see cref="DeviceBuffer.SizeBytes"/> is rounded up to a size class.</summary>
    public long HeldBytes { get; set; }

    /// <summary>Gives the memory back to the driver.</summary>
    public void Free()
    {
        _memory?.Dispose();
        _memory = null;
    }

    protected override void Return() => owner.Return(this);
}

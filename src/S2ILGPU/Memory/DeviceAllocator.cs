using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.Devices;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Memory;

/// <summary>The memory of an engine on an accelerator.</summary>
/// <remarks>
/// Eight classes per doubling waste at most an eighth. A returned buffer may be handed out while kernels still use it:
/// all work runs on one stream, in order. When the device is full, the idle buffers are freed once and the request is
/// tried again.
/// </remarks>
/// <param name="accelerator">The device; stays with the caller.</param>
/// <param name="stream">The stream of all work; stays with the caller.</param>
/// <param name="engine">The engine that users know, for exceptions.</param>
/// <param name="limitBytes">Bytes that may be held at most, in use and idle.</param>
internal sealed class DeviceAllocator(Accelerator accelerator, AcceleratorStream stream, Type engine,
    long limitBytes)
    : CachingAllocator<IlgpuBuffer>(engine, classesPerDoubling: 8)
{
    /// <summary>The stream on which memory is filled with NaN before it is handed out, for tests; null leaves it as it
    /// is.</summary>
    public AcceleratorStream? Poison { get; set; }

    /// <inheritdoc/>
    /// <exception cref="DeviceLostException">The device has stopped working.</exception>
    public override void Trim()
    {
        // queued kernels may still use what was returned, and a driver need not wait for them
        LostDevice.Synchronize(stream);
        base.Trim();
    }

    /// <exception cref="InsufficientMemoryException">The device has no such piece, even after idle memory was
    /// freed.</exception>
    /// <exception cref="DeviceLostException">The device has stopped working.</exception>
    protected override IlgpuBuffer Allocate(long sizeBytes, long classBytes)
    {
        if (ReservedBytes + classBytes > limitBytes)
            Trim();
        if (ReservedBytes + classBytes > limitBytes)
            throw OutOfMemory(sizeBytes, null);
        try
        {
            return NewBuffer(classBytes);
        }
        // drivers report a full device in different exceptions; a lost one cannot be waited for
        catch (Exception)
        {
            Trim();
        }
        try
        {
            return NewBuffer(classBytes);
        }
        catch (Exception exception)
        {
            LostDevice.Synchronize(stream);
            throw OutOfMemory(sizeBytes, exception);
        }
    }

    protected override void OnRented(IlgpuBuffer buffer)
    {
        if (Poison is { } poisoned)
            buffer.Words.MemSet(poisoned, 0xff);
    }

    protected override void Free(IlgpuBuffer buffer) => buffer.Free();

    private IlgpuBuffer NewBuffer(long sizeBytes) =>
        new(this, accelerator.Allocate1D<int>(sizeBytes / sizeof(int)), sizeBytes);

    private InsufficientMemoryException OutOfMemory(long sizeBytes, Exception? inner) => new(
        $"{accelerator.Name}: no room for {sizeBytes:N0} bytes; tensors hold {UsedBytes:N0} bytes in {LiveBuffers} "
        + $"buffers, the device has {limitBytes:N0}", inner);
}

/// <summary>A piece of device memory. The object outlives its tensors: the allocator hands it out again.</summary>
internal sealed class IlgpuBuffer(DeviceAllocator owner, MemoryBuffer1D<int, Stride1D.Dense> memory, long sizeBytes)
    : DeviceBuffer(sizeBytes)
{
    private MemoryBuffer1D<int, Stride1D.Dense>? _memory = memory;

    /// <summary>The memory as 32-bit words; aligned to at least 256 bytes.</summary>
    /// <exception cref="ObjectDisposedException">The engine was disposed.</exception>
    public ArrayView<int> Words =>
        (_memory ?? throw new ObjectDisposedException(nameof(IlgpuEngine),
        "the engine that owns this tensor was disposed")).View.BaseView;

    /// <summary>The allocator that the buffer goes back to; tensors of another engine have another one.</summary>
    public DeviceAllocator Owner => owner;

    /// <summary>Gives the memory back to the driver.</summary>
    public void Free()
    {
        (var freed, _memory) = (_memory, null);
        freed?.Dispose();
    }

    protected override void Return() => owner.Return(this);
}

using ILGPU;
using ILGPU.Runtime;
using S2ILGPU.Compiler;
using S2ILGPU.Devices;
using S2ILGPU.Engines;
using S2ILGPU.Memory;
using S2ILGPU.Tensors;

namespace S2ILGPU.Queue;

/// <summary>The queue of a device: its memory, copies and kernel launches, all in the order of one stream.</summary>
/// <remarks>Nothing waits but <see cref="Download"/>, <see cref="Synchronize"/> and <see cref="Dispose"/>. Because all
/// work is ordered, memory that was given back may be handed out again while earlier kernels still use it.</remarks>
internal sealed partial class DeviceQueue : IDisposable
{
    private readonly Accelerator _accelerator;
    private readonly bool _ownsStream;
    private readonly KernelCache _kernels;

    /// <summary>Opens a queue.</summary>
    /// <param name="accelerator">The device; stays with the caller.</param>
    /// <param name="stream">The stream to use, the caller's; null for a stream of the queue's own.</param>
    /// <param name="engine">The engine that users know, for the exception after <see cref="Dispose"/>.</param>
    /// <param name="limitBytes">Bytes of memory that may be held at most, in use and idle.</param>
    /// <param name="store">Where compiled kernels are kept.</param>
    public DeviceQueue(Accelerator accelerator, AcceleratorStream? stream, Type engine, long limitBytes,
        KernelStore store)
    {
        _accelerator = accelerator;
        _ownsStream = stream is null;
        _kernels = new KernelCache(accelerator, store);
        KernelStore = store;
        Stream = stream ?? accelerator.CreateStream();
        Memory = new DeviceAllocator(accelerator, Stream, engine, limitBytes);
        Tensors = new DeviceTensors(Memory);
        Addresses = accelerator.AcceleratorType == AcceleratorType.OpenCL ? null
            : new DeviceAddresses(accelerator, Stream, Tensors);
        IsEmulated = accelerator.AcceleratorType == AcceleratorType.CPU;
    }

    /// <summary>The device's memory.</summary>
    public DeviceAllocator Memory { get; }

    /// <summary>Tensors as kernels see them.</summary>
    public DeviceTensors Tensors { get; }

    /// <summary>Addresses for other libraries; null on OpenCL devices.</summary>
    public DeviceAddresses? Addresses { get; }

    /// <summary>Whether the device executes kernels one thread at a time, for tests: a thread costs about a
    /// microsecond, a barrier of a group much more.</summary>
    public bool IsEmulated { get; }

    /// <summary>Where compiled kernels are kept.</summary>
    public KernelStore KernelStore { get; }

    /// <summary>The kernels that were launched so far.</summary>
    public IReadOnlyList<KernelRequest> LaunchedKernels => _kernels.Launched;

    /// <summary>Multiprocessors of the device.</summary>
    public int Multiprocessors => _accelerator.NumMultiprocessors;

    /// <summary>Whether kernels take arguments of 4 KB, as CUDA's do; OpenCL promises 1 KB.</summary>
    public bool TakesLargeArguments => _accelerator.AcceleratorType != AcceleratorType.OpenCL;

    /// <summary>Kernels launched so far.</summary>
    public long Launches { get; private set; }

    /// <summary>Bytes copied from the host to the device so far.</summary>
    public long UploadedBytes { get; private set; }

    /// <summary>How often the host waited for queued work so far.</summary>
    public long Waits { get; private set; }

    /// <summary>The stream that all work is queued on.</summary>
    public AcceleratorStream Stream { get; }

    /// <summary>Contiguous uninitialised memory as a tensor, from the cache where possible.</summary>
    public Tensor Allocate(Shape shape, ElementType elementType)
    {
        var buffer = Memory.Rent(shape.Count * elementType.SizeBytes());
        try
        {
            return Tensor.Create(buffer, shape, elementType);
        }
        catch
        {
            Memory.Return(buffer);
            throw;
        }
    }

    /// <summary>Copies host values to the device.</summary>
    /// <param name="source">The values; may be overwritten when the call returns.</param>
    /// <param name="destination">As many elements.</param>
    /// <exception cref="DeviceLostException">The device has stopped working.</exception>
    public unsafe void Upload<T>(ReadOnlySpan<T> source, ArrayView<T> destination) where T : unmanaged
    {
        UploadedBytes += source.Length * (long)sizeof(T);
        try
        {
            GpuDevices.Upload(destination, Stream, source);
        }
        catch (Exception exception) when (LostDevice.IsLost(Stream))
        {
            throw LostDevice.Because(exception, Stream);
        }
    }

    /// <summary>Waits for all queued work and copies values to the host.</summary>
    /// <exception cref="DeviceLostException">The device has stopped working.</exception>
    public void Download<T>(ArrayView<T> source, Span<T> destination) where T : unmanaged
    {
        Waits++;
        try
        {
            source.CopyToCPU(Stream, destination);
        }
        catch (Exception exception) when (LostDevice.IsLost(Stream))
        {
            throw LostDevice.Because(exception, Stream);
        }
    }

    /// <summary>Waits until all queued work is done.</summary>
    /// <exception cref="DeviceLostException">The device has stopped working.</exception>
    public void Synchronize()
    {
        Waits++;
        LostDevice.Synchronize(Stream);
    }

    /// <summary>Waits for all queued work and frees the memory; throws nothing when the device was lost.</summary>
    public void Dispose() => LostDevice.Free(Stream.Synchronize, () => Addresses?.Dispose(), Memory.Dispose, () =>
    {
        if (_ownsStream)
            Stream.Dispose();
    });
}

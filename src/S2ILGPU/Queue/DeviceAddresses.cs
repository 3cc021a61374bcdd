using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using S2ILGPU.Engines;
using S2ILGPU.Memory;
using S2ILGPU.Tensors;

namespace S2ILGPU.Queue;

/// <summary>Tensors as addresses, and the stream as a handle, for libraries beside ILGPU: of a CUDA device, or of the
/// emulated one, whose memory is the host's.</summary>
/// <param name="accelerator">The device.</param>
/// <param name="stream">The stream of the queue.</param>
/// <param name="tensors">The engine's tensors.</param>
internal sealed class DeviceAddresses(Accelerator accelerator, AcceleratorStream stream, DeviceTensors tensors)
    : IDeviceMemory, IDisposable
{
    // Events of marks that were not seen reached yet, in the order of the stream; and events to use again.
    private readonly Queue<nint> _open = [];
    private readonly Stack<nint> _free = [];
    private long _marks;

    /// <inheritdoc/>
    public DeviceKind Kind { get; } = accelerator is CudaAccelerator ? DeviceKind.Cuda : DeviceKind.Emulated;

    /// <inheritdoc/>
    public string Device { get; } = accelerator is CudaAccelerator cuda
        ? $"{cuda.PCIDomainId:x}:{cuda.PCIBusId:x}:{cuda.PCIDeviceId:x}" : $"emulated {Guid.NewGuid():N}";

    /// <inheritdoc/>
    public nint Stream => stream is CudaStream cuda ? cuda.StreamPtr : 0;

    /// <inheritdoc/>
    public nint AddressOf(Tensor tensor)
    {
        var words = tensors.Words(tensor);
        return words.LoadEffectiveAddressAsPtr()
            + checked((nint)(tensor.OffsetElements * tensor.ElementType.SizeBytes()));
    }

    /// <inheritdoc/>
    // ILGPU sets a context only when it believes that another one is current, so the driver is told directly.
    public void MakeCurrent()
    {
        accelerator.Bind();
        if (Kind == DeviceKind.Cuda)
            CudaException.ThrowIfFailed(CudaAPI.CurrentAPI.SetCurrentContext(accelerator.NativePtr));
    }

    /// <inheritdoc/>
    public long Mark()
    {
        if (Kind == DeviceKind.Emulated)
            return 0;
        MakeCurrent();
        if (!_free.TryPop(out nint mark))
            CudaException.ThrowIfFailed(CudaAPI.CurrentAPI.CreateEvent(out mark,
                CudaEventFlags.CU_EVENT_DISABLE_TIMING));
        CudaException.ThrowIfFailed(CudaAPI.CurrentAPI.RecordEvent(mark, Stream));
        _open.Enqueue(mark);
        return ++_marks;
    }

    /// <inheritdoc/>
    public bool HasReached(long mark)
    {
        while (_marks - _open.Count < mark)
        {
            var error = CudaAPI.CurrentAPI.QueryEvent(_open.Peek());
            if (error == CudaError.CUDA_ERROR_NOT_READY)
                return false;
            CudaException.ThrowIfFailed(error);
            _free.Push(_open.Dequeue());
        }
        return true;
    }

    /// <summary>Frees the events, after all work.</summary>
    public void Dispose()
    {
        foreach (nint mark in _open.Concat(_free))
            _ = CudaAPI.CurrentAPI.DestroyEvent(mark);
        _open.Clear();
        _free.Clear();
    }
}

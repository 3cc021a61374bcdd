using ILGPU;
using S2ILGPU.Memory;

namespace S2ILGPU.Queue;

/// <summary>An array of the host on the device, until it is disposed.</summary>
internal sealed class HostCopy<T> : IDisposable where T : unmanaged
{
    private readonly DeviceQueue _queue;
    private readonly IlgpuBuffer _buffer;
    private bool _returned;

    /// <summary>Copies an array to the device; does not wait for kernels.</summary>
    public unsafe HostCopy(DeviceQueue queue, ReadOnlySpan<T> values)
    {
        _queue = queue;
        _buffer = queue.Memory.Rent(Math.Max(1, values.Length) * (long)sizeof(T));
        View = _buffer.Words.Cast<T>().SubView(0, values.Length);
        if (!values.IsEmpty)
            queue.Upload(values, View);
    }

    /// <summary>The elements on the device.</summary>
    public ArrayView<T> View { get; }

    /// <summary>Copies some of the array again, in the order of the queue: kernels that were queued before have read
    /// the elements as they were.</summary>
    public void Update(T[] values, int start, int count) =>
        _queue.Upload(values.AsSpan(start, count), View.SubView(start, count));

    /// <summary>Gives the memory back; kernels that were queued before may still read it.</summary>
    public void Dispose()
    {
        if (!_returned)
            _queue.Memory.Return(_buffer);
        _returned = true;
    }
}

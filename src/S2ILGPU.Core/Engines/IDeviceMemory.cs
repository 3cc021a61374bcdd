using S2ILGPU.Tensors;

namespace S2ILGPU.Engines;

/// <summary>Where the tensors of an engine lie, for libraries that work on memory of the device themselves: addresses,
/// and the stream that orders all work on them.</summary>
/// <remarks>What such a library queues on the stream runs after the operations before it and before those after it.
/// Belongs to the thread that drives the engine.</remarks>
public interface IDeviceMemory
{
    /// <summary>What the device is; <see cref="DeviceKind.Emulated"/> where addresses are those of the host.</summary>
    DeviceKind Kind { get; }

    /// <summary>Which device of its machine it is, the same in every process.</summary>
    string Device { get; }

    /// <summary>Handle of the stream: a <c>CUstream</c> of a CUDA device; 0 of an emulated one, which has done its work
    /// when a call returns.</summary>
    nint Stream { get; }

    /// <summary>Address of the first element of a tensor.</summary>
    /// <param name="tensor">A tensor of this engine; the address is good until it is disposed.</param>
    /// <exception cref="ArgumentException">The tensor lives on another engine.</exception>
    nint AddressOf(Tensor tensor);

    /// <summary>Makes the device's context that of the calling thread, whatever another library made of it.</summary>
    void MakeCurrent();

    /// <summary>Marks the place that the stream's queue has come to.</summary>
    /// <returns>For <see cref="HasReached"/>.</returns>
    long Mark();

    /// <summary>Whether the device has done all that was queued before a mark. Does not wait.</summary>
    bool HasReached(long mark);
}

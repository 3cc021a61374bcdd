using System.Runtime.CompilerServices;
using ILGPU.Util;
using S2ILGPU.KernelLab;

namespace ILGPU.Runtime;

/// <summary>A device that is ready to work.</summary>
public abstract class Accelerator : DisposeBase
{
    private protected Accelerator(Context context, Device device)
    {
        Context = context;
        Device = device;
        WarpSize = device.WarpSize;
        DefaultStream = new LabStream(this);
    }

    /// <summary>Its context.</summary>
    public Context Context { get; }

    /// <summary>Its description.</summary>
    public Device Device { get; }

    /// <summary>The stream of work that names none.</summary>
    public AcceleratorStream DefaultStream { get; protected set; }

    /// <summary>What it is.</summary>
    public AcceleratorType AcceleratorType => Device.AcceleratorType;

    /// <summary>The device's name.</summary>
    public string Name => Device.Name;

    /// <summary>Its memory in bytes.</summary>
    public long MemorySize => Device.MemorySize;

    /// <summary>The most groups of a launch.</summary>
    public Index3D MaxGridSize => Device.MaxGridSize;

    /// <summary>The most threads of a group in each dimension.</summary>
    public Index3D MaxGroupSize => Device.MaxGroupSize;

    /// <summary>The most threads of a group.</summary>
    public int MaxNumThreadsPerGroup => Device.MaxNumThreadsPerGroup;

    /// <summary>The shared memory of a group in bytes.</summary>
    public int MaxSharedMemoryPerGroup => Device.MaxSharedMemoryPerGroup;

    /// <summary>The threads of a warp.</summary>
    public int WarpSize { get; protected set; }

    /// <summary>The multiprocessors.</summary>
    public int NumMultiprocessors => Device.NumMultiprocessors;

    /// <summary>The threads that a multiprocessor holds at a time.</summary>
    public int MaxNumThreadsPerMultiprocessor => Device.MaxNumThreadsPerMultiprocessor;

    /// <summary>The threads that the device holds at a time.</summary>
    public int MaxNumThreads => Device.MaxNumThreads;

    /// <summary>Another stream.</summary>
    /// <returns>The stream; the caller disposes it.</returns>
    public AcceleratorStream CreateStream() => new LabStream(this);

    /// <summary>Waits for all work.</summary>
    public void Synchronize() => ObjectDisposedException.ThrowIf(IsDisposed, this);

    /// <summary>Allocates memory without an element type.</summary>
    /// <param name="length">The number of elements.</param>
    /// <param name="elementSize">The bytes of an element.</param>
    /// <returns>The buffer; the caller disposes it.</returns>
    public MemoryBuffer AllocateRaw(long length, int elementSize)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfLessThan(elementSize, 1);
        return new RawMemoryBuffer(this, length, elementSize);
    }

    /// <summary>Allocates an array.</summary>
    /// <typeparam name="T">The element type.</typeparam>
    /// <param name="length">The number of elements.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <returns>The buffer; the caller disposes it.</returns>
    public MemoryBuffer1D<T, Stride1D.Dense> Allocate1D<T>(long length, [CallerLineNumber] int line = 0, [CallerFilePath] string file = "")
        where T : unmanaged
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        return new MemoryBuffer1D<T, Stride1D.Dense>(this, length, $"{typeof(T).Name}[{length}] of {new Site(line, file)}");
    }

    /// <inheritdoc/>
    public override string ToString() => Device.ToString();
}

namespace ILGPU.Runtime;

/// <summary>A description of a device.</summary>
public abstract class Device
{
    private protected Device()
    {
    }

    /// <summary>What it is.</summary>
    public AcceleratorType AcceleratorType => AcceleratorType.CPU;

    /// <summary>Its name.</summary>
    public string Name { get; protected set; } = "";

    /// <summary>Its memory in bytes.</summary>
    public long MemorySize { get; protected set; }

    /// <summary>The most groups of a launch.</summary>
    public Index3D MaxGridSize { get; protected set; }

    /// <summary>The most threads of a group in each dimension.</summary>
    public Index3D MaxGroupSize { get; protected set; }

    /// <summary>The most threads of a group.</summary>
    public int MaxNumThreadsPerGroup { get; protected set; }

    /// <summary>The shared memory of a group in bytes.</summary>
    public int MaxSharedMemoryPerGroup { get; protected set; }

    /// <summary>The threads of a warp.</summary>
    public int WarpSize { get; protected set; }

    /// <summary>The multiprocessors.</summary>
    public int NumMultiprocessors { get; protected set; }

    /// <summary>The threads that a multiprocessor holds at a time.</summary>
    public int MaxNumThreadsPerMultiprocessor { get; protected set; }

    /// <summary>The threads that the device holds at a time.</summary>
    public int MaxNumThreads => NumMultiprocessors * MaxNumThreadsPerMultiprocessor;

    /// <summary>Makes the device ready.</summary>
    /// <param name="context">The context that it belongs to.</param>
    /// <returns>The accelerator; the caller disposes it.</returns>
    public abstract Accelerator CreateAccelerator(Context context);

    /// <inheritdoc/>
    public override string ToString() => $"{Name} [Type: {AcceleratorType}, WarpSize: {WarpSize}, MaxNumThreadsPerGroup: {MaxNumThreadsPerGroup}, MemorySize: {MemorySize}]";
}

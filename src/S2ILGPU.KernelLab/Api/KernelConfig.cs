namespace ILGPU;

/// <summary>Groups, threads of a group and dynamic shared memory of a launch.</summary>
public readonly struct KernelConfig
{
    /// <summary>Describes a launch.</summary>
    /// <param name="gridDim">The number of groups.</param>
    /// <param name="groupDim">The threads of a group.</param>
    public KernelConfig(Index1D gridDim, Index1D groupDim)
        : this(Wide(gridDim), Wide(groupDim), default)
    {
    }

    /// <summary>Describes a launch.</summary>
    /// <param name="gridDim">The number of groups.</param>
    /// <param name="groupDim">The threads of a group.</param>
    /// <param name="sharedMemoryConfig">Dynamic shared memory.</param>
    public KernelConfig(Index1D gridDim, Index1D groupDim, SharedMemoryConfig sharedMemoryConfig)
        : this(Wide(gridDim), Wide(groupDim), sharedMemoryConfig)
    {
    }

    /// <summary>Describes a launch.</summary>
    /// <param name="gridDim">The number of groups.</param>
    /// <param name="groupDim">The threads of a group.</param>
    public KernelConfig(Index2D gridDim, Index2D groupDim)
        : this(Wide(gridDim), Wide(groupDim), default)
    {
    }

    /// <summary>Describes a launch.</summary>
    /// <param name="gridDim">The number of groups.</param>
    /// <param name="groupDim">The threads of a group.</param>
    /// <param name="sharedMemoryConfig">Dynamic shared memory.</param>
    public KernelConfig(Index2D gridDim, Index2D groupDim, SharedMemoryConfig sharedMemoryConfig)
        : this(Wide(gridDim), Wide(groupDim), sharedMemoryConfig)
    {
    }

    /// <summary>Describes a launch.</summary>
    /// <param name="gridDim">The number of groups.</param>
    /// <param name="groupDim">The threads of a group.</param>
    public KernelConfig(Index3D gridDim, Index3D groupDim)
        : this(gridDim, groupDim, default)
    {
    }

    /// <summary>Describes a launch.</summary>
    /// <param name="gridDim">The number of groups.</param>
    /// <param name="groupDim">The threads of a group.</param>
    /// <param name="sharedMemoryConfig">Dynamic shared memory.</param>
    public KernelConfig(Index3D gridDim, Index3D groupDim, SharedMemoryConfig sharedMemoryConfig)
    {
        GridDim = gridDim;
        GroupDim = groupDim;
        SharedMemoryConfig = sharedMemoryConfig;
    }

    /// <summary>The number of groups.</summary>
    public Index3D GridDim { get; }

    /// <summary>The threads of a group.</summary>
    public Index3D GroupDim { get; }

    /// <summary>Dynamic shared memory.</summary>
    public SharedMemoryConfig SharedMemoryConfig { get; }

    /// <summary>Whether there is any.</summary>
    public bool UsesDynamicSharedMemory => SharedMemoryConfig.UsesDynamicSharedMemory;

    /// <summary>The number of threads.</summary>
    public long Size => GridDim.LongSize * GroupDim.LongSize;

    /// <summary>A launch from a tuple of groups and threads per group.</summary>
    /// <param name="dimensions">The tuple.</param>
    public static implicit operator KernelConfig((Index1D, Index1D) dimensions) => new(Wide(dimensions.Item1), Wide(dimensions.Item2));

    /// <summary>A launch from a tuple of groups and threads per group.</summary>
    /// <param name="dimensions">The tuple.</param>
    public static implicit operator KernelConfig((Index3D, Index1D) dimensions) => new(dimensions.Item1, Wide(dimensions.Item2));

    /// <summary>A launch from a tuple of groups and threads per group.</summary>
    /// <param name="dimensions">The tuple.</param>
    public static implicit operator KernelConfig((Index3D, Index2D) dimensions) => new(dimensions.Item1, Wide(dimensions.Item2));

    /// <summary>A launch from a tuple of groups and threads per group.</summary>
    /// <param name="dimensions">The tuple.</param>
    public static implicit operator KernelConfig((Index2D, Index2D) dimensions) => new(Wide(dimensions.Item1), Wide(dimensions.Item2));

    /// <summary>A launch from a tuple of groups and threads per group.</summary>
    /// <param name="dimensions">The tuple.</param>
    public static implicit operator KernelConfig((Index3D, Index3D) dimensions) => new(dimensions.Item1, dimensions.Item2);

    /// <summary>A launch from a tuple of groups and threads per group and shared memory.</summary>
    /// <param name="dimensions">The tuple.</param>
    public static implicit operator KernelConfig((Index1D, Index1D, SharedMemoryConfig) dimensions) => new(Wide(dimensions.Item1), Wide(dimensions.Item2), dimensions.Item3);

    /// <summary>A launch from a tuple of groups and threads per group and shared memory.</summary>
    /// <param name="dimensions">The tuple.</param>
    public static implicit operator KernelConfig((Index3D, Index3D, SharedMemoryConfig) dimensions) => new(dimensions.Item1, dimensions.Item2, dimensions.Item3);

    private static Index3D Wide(Index1D index) => new(index.X, 1, 1);

    private static Index3D Wide(Index2D index) => new(index.X, index.Y, 1);
}

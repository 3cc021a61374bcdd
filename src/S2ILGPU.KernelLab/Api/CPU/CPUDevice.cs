using S2ILGPU.KernelLab;

namespace ILGPU.Runtime.CPU;

/// <summary>The lab's device: a warp has 32 threads, a group up to 1024.</summary>
public sealed class CPUDevice : Device
{
    /// <summary>A device like an NVIDIA GPU's.</summary>
    public static readonly CPUDevice Nvidia = new(Engine.WarpSize, Engine.MaxThreads / Engine.WarpSize, 1);

    /// <summary>Describes a device.</summary>
    /// <param name="numThreadsPerWarp">32.</param>
    /// <param name="numWarpsPerMultiprocessor">ILGPU's limit on the size of groups; the lab allows 1024 threads in any case.</param>
    /// <param name="numMultiprocessors">How many groups ILGPU would run at a time; here it is one.</param>
    public CPUDevice(int numThreadsPerWarp, int numWarpsPerMultiprocessor, int numMultiprocessors)
    {
        if (numThreadsPerWarp != Engine.WarpSize)
            throw new ArgumentOutOfRangeException(nameof(numThreadsPerWarp), $"KernelLab has warps of {Engine.WarpSize} threads only, not {numThreadsPerWarp}");
        ArgumentOutOfRangeException.ThrowIfLessThan(numWarpsPerMultiprocessor, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(numMultiprocessors, 1);
        Name = "KernelLab";
        WarpSize = numThreadsPerWarp;
        NumMultiprocessors = numMultiprocessors;
        MaxNumThreadsPerMultiprocessor = Engine.MaxThreads;
        MaxNumThreadsPerGroup = Engine.MaxThreads;
        MaxSharedMemoryPerGroup = SharedArena.Capacity;
        MaxGridSize = new Index3D(int.MaxValue, ushort.MaxValue, ushort.MaxValue);
        MaxGroupSize = new Index3D(Engine.MaxThreads, Engine.MaxThreads, 64);
        MemorySize = Lab.DeviceMemoryBytes;
    }

    /// <inheritdoc/>
    public override Accelerator CreateAccelerator(Context context) => CreateCPUAccelerator(context);

    /// <summary>Makes the device ready.</summary>
    /// <param name="context">The context that it belongs to.</param>
    /// <returns>The accelerator; the caller disposes it.</returns>
    public CPUAccelerator CreateCPUAccelerator(Context context) => CreateCPUAccelerator(context, CPUAcceleratorMode.Auto);

    /// <summary>Makes the device ready.</summary>
    /// <param name="context">The context that it belongs to.</param>
    /// <param name="mode">No effect here.</param>
    /// <returns>The accelerator; the caller disposes it.</returns>
    public CPUAccelerator CreateCPUAccelerator(Context context, CPUAcceleratorMode mode) => new(context, this, mode);
}

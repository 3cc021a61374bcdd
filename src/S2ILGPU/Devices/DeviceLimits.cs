using ILGPU.Runtime;
using S2ILGPU.Kernels.Attention.Portable;

namespace S2ILGPU.Devices;

/// <summary>What the portable kernels need of a device. Devices with tensor cores have more than enough; the launch
/// table says which tensor-core kernels fit.</summary>
internal static class DeviceLimits
{
    /// <summary>Threads of the largest group that is launched whatever the device has.</summary>
    public const int MinGroupThreads = 128;

    /// <summary>What a device lacks, with what is needed and what it has; null when kernels run on it.</summary>
    public static string? Missing(Device device)
    {
        if (device.MaxNumThreadsPerGroup < MinGroupThreads)
            return $"kernels need groups of {MinGroupThreads} threads, {device.Name} has at most "
                + $"{device.MaxNumThreadsPerGroup}";
        if (device.MaxSharedMemoryPerGroup < PortableTiles.SharedBytes)
            return $"kernels need {PortableTiles.SharedBytes:N0} bytes of shared memory per group, {device.Name} has "
                + $"{device.MaxSharedMemoryPerGroup:N0}";
        return null;
    }

    /// <summary>Memory that tensors can have: that of the device, or what the process may use for an emulated
    /// one.</summary>
    public static long MemoryBytes(Device device) => device.AcceleratorType == AcceleratorType.CPU
        ? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes : device.MemorySize;
}

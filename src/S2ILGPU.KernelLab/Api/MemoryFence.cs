namespace ILGPU;

/// <summary>Orders a thread's memory accesses as others see them. No barrier: the sanitizer takes it for none.</summary>
public static class MemoryFence
{
    /// <summary>For the threads of the group.</summary>
    public static void GroupLevel() => Interlocked.MemoryBarrier();

    /// <summary>For all threads of the device.</summary>
    public static void DeviceLevel() => Interlocked.MemoryBarrier();

    /// <summary>For the host, too.</summary>
    public static void SystemLevel() => Interlocked.MemoryBarrier();
}

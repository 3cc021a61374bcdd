namespace S2ILGPU.KernelLab;

/// <summary>A binary semaphore. The POSIX one hands over in 3 us between threads on one core, Monitor in 6 us.</summary>
internal abstract class Signal
{
    internal static Signal Create() => PosixSignal.IsAvailable ? new PosixSignal() : new MonitorSignal();

    internal abstract void Set();

    internal abstract void Wait();
}

namespace S2ILGPU.Engines;

/// <summary>What a device is, fastest kind first.</summary>
public enum DeviceKind
{
    /// <summary>An NVIDIA GPU.</summary>
    Cuda,

    /// <summary>A GPU reached through OpenCL.</summary>
    OpenCl,

    /// <summary>The processor with its SIMD registers.</summary>
    Cpu,

    /// <summary>GPU kernels executed one thread at a time, for tests; never taken automatically.</summary>
    Emulated,
}

/// <summary>A device of this machine.</summary>
/// <param name="Id">The name that <see cref="Engine.Create"/> takes, as in <c>cuda:0</c>.</param>
/// <param name="Name">What a person calls it, as in <c>CPU (AVX-512, 2 threads)</c>.</param>
/// <param name="Kind">What it is.</param>
/// <param name="MemoryBytes">Memory that tensors can have; 0 when unknown.</param>
/// <param name="Parallelism">Threads of a CPU, multiprocessors of a GPU.</param>
/// <param name="InstructionSet">SIMD instructions of a CPU (<c>AVX-512</c>), architecture of a GPU
/// (<c>sm_89</c>).</param>
public sealed record DeviceInfo(string Id, string Name, DeviceKind Kind, long MemoryBytes, int Parallelism,
    string InstructionSet);

/// <summary>Finds the devices of one kind of engine and creates their engines. A package that brings an engine
/// registers one with <see cref="Engine.Register"/>.</summary>
public interface IDeviceProvider
{
    /// <summary>The devices that there are now; none when a driver is missing. Does not throw.</summary>
    IReadOnlyList<DeviceInfo> Devices();

    /// <summary>Why a device is not among <see cref="Devices"/>, in one line: too small, or the program cannot run its
    /// kernels.</summary>
    /// <param name="id">A name that a user asked for.</param>
    /// <returns>The reason; null for a device that is listed, or that the provider does not know.</returns>
    string? ReasonUnavailable(string id) => null;

    /// <summary>Creates the engine of a device.</summary>
    /// <param name="id">The name of one of <see cref="Devices"/>.</param>
    /// <returns>The engine; the caller disposes it.</returns>
    IEngine Create(string id);
}

using S2ILGPU.Cpu;

namespace S2ILGPU.Engines;

/// <summary>The devices of this machine by name: <c>auto</c>, <c>cpu</c> and what other packages register
/// (<c>cuda:0</c>, <c>opencl:0</c>, <c>ilgpu-cpu</c>).</summary>
/// <remarks>
/// <para>The devices of the package S2ILGPU are found by name when its assembly is part of the application: nothing has
/// to be registered. Other packages call <see cref="Register"/>.</para>
/// <para>Thread-safe. The engines that it creates are not: each is driven by one thread at a time.</para>
/// </remarks>
public static class Engine
{
    /// <summary>The name that stands for the fastest device.</summary>
    public const string Auto = "auto";

    private static readonly DeviceRegistry s_registry = new([new CpuDevices(), .. GpuPackage()]);

    /// <summary>Makes the devices of a package known.</summary>
    /// <param name="provider">Kept; registering it again does nothing.</param>
    public static void Register(IDeviceProvider provider) => s_registry.Register(provider);

    /// <summary>The devices of this machine, fastest kind first.</summary>
    public static IReadOnlyList<DeviceInfo> Devices() => s_registry.Devices();

    /// <summary>Creates the engine of a device.</summary>
    /// <param name="device">A name from <see cref="Devices"/>, or <c>auto</c> (default) for the fastest: CUDA before
    /// OpenCL before CPU; emulated devices only by name.</param>
    /// <returns>The engine; the caller disposes it, after its tensors.</returns>
    /// <exception cref="ArgumentException">There is no such device; the message names those that there are.</exception>
    /// <exception cref="NotSupportedException">The device is there but cannot be used; the message says
    /// why.</exception>
    public static IEngine Create(string device = Auto) => s_registry.Create(device);

    // The name is a constant so that trimming keeps the class, where the application has it.
    private static IDeviceProvider[] GpuPackage()
    {
        try
        {
            return Type.GetType("S2ILGPU.IlgpuDevices, S2ILGPU") is { } type
                && Activator.CreateInstance(type) is IDeviceProvider provider ? [provider] : [];
        }
        catch (Exception exception) when (exception is FileLoadException or BadImageFormatException)
        {
            return []; // an assembly of that name that is not ours, or is damaged: the CPU still works
        }
    }
}

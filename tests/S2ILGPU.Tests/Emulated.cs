using S2ILGPU.Backends;
using S2ILGPU.Devices;

namespace S2ILGPU.Tests;

/// <summary>The device that every machine has: ILGPU's CPU accelerator, or KernelLab.</summary>
internal static class Emulated
{
    /// <summary>The name of the device.</summary>
    public const string Device = "ilgpu-cpu";

    /// <summary>Whether it is KernelLab.</summary>
    public static bool IsLab => Engine.Devices().Single(device => device.Id == Device).Name.StartsWith("KernelLab", StringComparison.Ordinal);

    /// <summary>An engine on it.</summary>
    public static IBackend Create() => IlgpuDevices.CreateBackend(Device);

    /// <summary>An engine on it that runs the tensor-core kernels with the C# bodies of their primitives.</summary>
    public static IBackend CreateWithTensorCores()
    {
        var engine = IlgpuDevices.CreateBackend(Device);
        engine.AttentionKernels.UseTensorCores = true;
        return engine;
    }
}

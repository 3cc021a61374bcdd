using S2ILGPU.Devices;
using S2ILGPU.Engines;

namespace S2ILGPU.Tests;

/// <summary>The device that every machine has: ILGPU's CPU accelerator.</summary>
internal static class Emulated
{
    /// <summary>The name of the device.</summary>
    public const string Device = "ilgpu-cpu";

    /// <summary>An engine on it, which hands out memory full of NaN.</summary>
    public static IEngine Create() => CreatePoisoned();

    /// <summary>An engine on it that runs the tensor-core kernels with the C# bodies of their primitives.</summary>
    public static IEngine CreateWithTensorCores()
    {
        var engine = CreatePoisoned();
        engine.AttentionKernels.UseTensorCores = true;
        return engine;
    }

    private static IlgpuEngine CreatePoisoned()
    {
        var engine = IlgpuDevices.CreateEngine(Device);
        engine.PoisonsMemory = true;
        return engine;
    }
}

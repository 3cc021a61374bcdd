using S2ILGPU.Devices;
using S2ILGPU.Engines;
using S2ILGPU.TestSupport;
using Xunit;

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

    /// <summary>The same for decoding, of whose tests a plain run takes some.</summary>
    public static Func<IEngine> OfDecoding(Func<IEngine> create) => () =>
    {
        Assert.SkipUnless(TestScale.Takes(Sweeps.EmulatedDecodeShare),
            $"this run takes 1 of {Sweeps.EmulatedDecodeShare} tests of decoding, S2_TESTS=full takes all");
        return create();
    };

    private static IlgpuEngine CreatePoisoned()
    {
        var engine = IlgpuDevices.CreateEngine(Device);
        engine.PoisonsMemory = true;
        return engine;
    }
}

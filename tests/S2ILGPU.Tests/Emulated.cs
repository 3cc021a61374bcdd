using ILGPU.Runtime.CPU;
using S2ILGPU.Devices;
using S2ILGPU.Engines;
using S2ILGPU.TestSupport;
using S2ILGPU.Variants;
using Xunit;

namespace S2ILGPU.Tests;

/// <summary>The device that every machine has: ILGPU's CPU accelerator.</summary>
internal static class Emulated
{
    /// <summary>The name of the device.</summary>
    public const string Device = "ilgpu-cpu";

    /// <summary>An engine of portable kernels, which hands out memory full of NaN.</summary>
    // A launch wakes all threads of the device, also those without work: it has no more than these kernels need.
    public static IEngine Create() => Create(DeviceLimits.MinGroupThreads, hasTensorCores: false);

    /// <summary>An engine that runs the tensor-core kernels with the C# bodies of their primitives.</summary>
    public static IEngine CreateWithTensorCores() => Create(KernelVariants.MaxThreads, hasTensorCores: true);

    /// <summary>The same for decoding, of whose tests a plain run takes some.</summary>
    public static Func<IEngine> OfDecoding(Func<IEngine> create) => OneOf(Sweeps.EmulatedDecodeShare, create);

    /// <summary>The same for sweeps of whose tests a plain run takes some.</summary>
    public static IEngine CreateForSome() => OfSome(Create)();

    /// <summary>The same on another engine.</summary>
    public static Func<IEngine> OfSome(Func<IEngine> create) => OneOf(Sweeps.EmulatedSomeShare, create);

    /// <summary>The same for bf16 rows, elementwise operations and int8 pages.</summary>
    public static IEngine CreateForMost() => OneOf(Sweeps.EmulatedMostShare, Create)();

    private static Func<IEngine> OneOf(int tests, Func<IEngine> create) => () =>
    {
        TestScale.SkipUnlessDrawn(tests);
        return create();
    };

    private static IlgpuEngine Create(int threads, bool hasTensorCores)
    {
        var engine = IlgpuDevices.CreateEngine(new CPUDevice(32, threads / 32, 1), hasTensorCores);
        engine.PoisonsMemory = true;
        return engine;
    }
}

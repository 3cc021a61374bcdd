using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Engines;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Cli.Tests;

/// <summary>Devices that only the test that asks for them sees: a small CPU engine, and a wrong one.</summary>
internal sealed class TestDevices : IDeviceProvider
{
    /// <summary>The CPU engine under the rules for devices that execute thread by thread: everything small.</summary>
    public const string Small = "test-small";

    /// <summary>The double-precision reference with one wrong element in every forward pass.</summary>
    public const string Broken = "test-broken";

    // The engines that the calling test made: its devices are visible when it has a list.
    private static readonly AsyncLocal<List<IEngine>?> s_created = new();
    private static readonly TestDevices s_provider = new();

    /// <summary>Makes the devices known to the calling test.</summary>
    /// <returns>The engines that it makes from now on, for what they counted; the list grows.</returns>
    public static IReadOnlyList<IEngine> Show()
    {
        Engine.Register(s_provider);
        return s_created.Value = [];
    }

    public IReadOnlyList<DeviceInfo> Devices() => s_created.Value is not null ? [Info(Small), Info(Broken)] : [];

    public IEngine Create(string id)
    {
        IEngine engine = id == Small ? new CpuEngine()
            : new BrokenEngine(nameof(IEngine.AttentionForward), BrokenEngine.Nudge);
        s_created.Value!.Add(engine);
        return engine;
    }

    private static DeviceInfo Info(string id) => new(id, $"a device for tests ({id})", DeviceKind.Emulated, 0, 1, "");
}

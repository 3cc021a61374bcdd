using S2ILGPU.Backends;
using S2ILGPU.Cpu;
using S2ILGPU.TestSupport;

namespace S2ILGPU.Cli.Tests;

/// <summary>Devices that only the test that asks for them sees: a small CPU engine, and a wrong one.</summary>
internal sealed class TestDevices : IDeviceProvider
{
    /// <summary>The CPU engine under the rules for devices that execute thread by thread: everything small.</summary>
    public const string Small = "test-small";

    /// <summary>The double-precision reference with one wrong element in every forward pass.</summary>
    public const string Broken = "test-broken";

    private static readonly AsyncLocal<bool> s_isVisible = new();
    private static readonly TestDevices s_provider = new();

    /// <summary>Makes the devices known to the calling test.</summary>
    public static void Show()
    {
        Engine.Register(s_provider);
        s_isVisible.Value = true;
    }

    public IReadOnlyList<DeviceInfo> Devices() => s_isVisible.Value ? [Info(Small), Info(Broken)] : [];

    public IBackend Create(string id) => id == Small ? new CpuBackend() : new BrokenBackend(nameof(IBackend.AttentionForward), BrokenBackend.Nudge);

    private static DeviceInfo Info(string id) => new(id, $"a device for tests ({id})", DeviceKind.Emulated, 0, 1, "");
}

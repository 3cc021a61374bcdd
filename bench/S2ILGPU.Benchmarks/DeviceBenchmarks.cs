using BenchmarkDotNet.Attributes;
using S2ILGPU.Engines;

namespace S2ILGPU.Benchmarks;

/// <summary>Benchmarks that run on every device of this machine.</summary>
public abstract class DeviceBenchmarks : EngineBenchmarks
{
    /// <summary>The device, as <see cref="Engines.Engine.Create"/> takes it.</summary>
    [ParamsSource(nameof(Devices))]
    public string Device { get; set; } = "";

    /// <summary>The devices of this machine, emulated ones left out.</summary>
    public static IEnumerable<string> Devices =>
        Engines.Engine.Devices().Where(device => device.Kind != DeviceKind.Emulated).Select(device => device.Id);

    /// <inheritdoc/>
    protected override IEngine CreateEngine() => Engines.Engine.Create(Device);
}

using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Engines;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Core.Tests.Engines;

public sealed class EngineTests
{
    [Theory]
    [InlineData("cpu")]
    [InlineData("CPU")]
    public void The_cpu_is_always_there(string device)
    {
        using var engine = Engine.Create(device);
        Assert.IsType<CpuEngine>(engine);
        var info = Engine.Devices().Single(d => d.Id == "cpu");
        Assert.Equal(engine.Name, info.Name);
        Assert.Equal(Environment.ProcessorCount, info.Parallelism);
        Assert.True(info.MemoryBytes > 0);
    }

    [Fact]
    public void Auto_creates_something()
    {
        using var engine = Engine.Create();
        Assert.Equal(Engine.Devices()[0].Name, engine.Name);
    }

    [Fact]
    public void An_unknown_device_is_named_beside_the_known_ones()
    {
        var registry = new DeviceRegistry(new CpuDevices(), new Fake(DeviceKind.Emulated, [], "ilgpu-cpu"));
        var exception = Assert.Throws<ArgumentException>(() => registry.Create("cuda:7"));
        Assert.Equal("unknown device 'cuda:7'; there are auto, cpu, ilgpu-cpu", exception.Message);
    }

    [Fact]
    public void A_device_that_cannot_be_used_says_why()
    {
        var registry = new DeviceRegistry(new CpuDevices(),
            new Fake(DeviceKind.Cuda, []) { Reason = "cuda:0 has 16 KB of shared memory" });
        Assert.Equal("cuda:0 has 16 KB of shared memory",
            Assert.Throws<NotSupportedException>(() => registry.Create("cuda:0")).Message);
    }

    [Fact]
    public void Auto_takes_the_fastest_kind_and_never_an_emulated_one()
    {
        var created = new List<string>();
        var registry = new DeviceRegistry(new Fake(DeviceKind.Emulated, created, "ilgpu-cpu"));
        Assert.Throws<ArgumentException>(() => registry.Create("auto"));
        registry.Create("ilgpu-cpu").Dispose();
        registry.Register(new Fake(DeviceKind.Cpu, created, "cpu"));
        registry.Create("auto").Dispose();
        registry.Register(new Fake(DeviceKind.OpenCl, created, "opencl:0"));
        var cuda = new Fake(DeviceKind.Cuda, created, "cuda:0", "cuda:1");
        registry.Register(cuda);
        registry.Register(cuda);
        registry.Create("auto").Dispose();
        registry.Create("cuda:1").Dispose();
        Assert.Equal(["ilgpu-cpu", "cpu", "cuda:0", "cuda:1"], created);
        Assert.Equal(["cuda:0", "cuda:1", "opencl:0", "cpu", "ilgpu-cpu"], registry.Devices().Select(d => d.Id));
    }

    private sealed class Fake(DeviceKind kind, List<string> created, params string[] ids) : IDeviceProvider
    {
        public string? Reason { get; init; }

        public string? ReasonUnavailable(string id) => Reason;

        public IReadOnlyList<DeviceInfo> Devices() => [.. ids.Select(id => new DeviceInfo(id, id, kind, 0, 1, ""))];

        public IEngine Create(string id)
        {
            created.Add(id);
            return new ReferenceEngine();
        }
    }
}

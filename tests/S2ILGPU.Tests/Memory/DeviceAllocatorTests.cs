using S2ILGPU.Devices;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.Tests.Memory;

public sealed class DeviceAllocatorTests
{
    private const long MegaByte = 1 << 20;

    [Fact]
    public void A_returned_buffer_is_used_again()
    {
        using var engine = IlgpuDevices.CreateEngine(Emulated.Device);
        var first = engine.Allocate(new Shape(1000), ElementType.Float32);
        var buffer = first.Buffer;
        first.Dispose();
        using var second = engine.Allocate(new Shape(990), ElementType.Float32);
        Assert.Same(buffer, second.Buffer);
    }

    [Fact]
    public void At_most_an_eighth_is_wasted()
    {
        using var engine = IlgpuDevices.CreateEngine(Emulated.Device);
        foreach (int bytes in (int[])[1, 255, 256, 257, 1000, 4096, 4097, 70_001, 1_000_003])
        {
            using var tensor = engine.Allocate(new Shape((bytes + 3) / 4), ElementType.Float32);
            Assert.InRange(tensor.Buffer.SizeBytes, bytes, Math.Max(256, bytes * 9L / 8 + 8));
        }
    }

    [Fact]
    public void A_full_device_gives_idle_memory_back_before_it_says_no()
    {
        using var engine = IlgpuDevices.CreateEngine(Emulated.Device, memoryLimitBytes: 8 * MegaByte);
        engine.Allocate(new Shape((int)MegaByte), ElementType.Float32).Dispose(); // 4 MB, idle now
        using var six = engine.Allocate(new Shape((int)(6 * MegaByte / 4)), ElementType.Float32);
        Assert.Equal(6 * MegaByte, engine.UsedBytes);
        var exception = Assert.Throws<InsufficientMemoryException>(() =>
            engine.Allocate(new Shape((int)MegaByte), ElementType.Float32));
        Assert.Contains("4,194,304", exception.Message);
        Assert.Contains("6,291,456", exception.Message);
        Assert.Contains("8,388,608", exception.Message);
        Assert.Equal(6 * MegaByte, engine.UsedBytes);
        using var small = engine.Allocate(new Shape(10), ElementType.Float32); // the engine goes on
    }

    [Fact]
    public void Tensors_of_another_engine_and_of_a_disposed_one_are_refused()
    {
        using var engine = IlgpuDevices.CreateEngine(Emulated.Device);
        var other = IlgpuDevices.CreateEngine(Emulated.Device);
        using var mine = engine.Allocate(new Shape(4), ElementType.Float32);
        var foreign = other.Allocate(new Shape(4), ElementType.Float32);
        Assert.Contains("another", Assert.Throws<ArgumentException>(() => engine.Copy(foreign, mine)).Message);
        other.Dispose();
        Assert.Throws<ObjectDisposedException>(() => other.Allocate(new Shape(1), ElementType.Float32));
        Assert.Throws<ObjectDisposedException>(() => other.Fill(foreign, 1));
        foreign.Dispose();
    }

    [Fact]
    public void Doubles_are_refused_by_name()
    {
        using var engine = IlgpuDevices.CreateEngine(Emulated.Device);
        using var doubles = engine.Allocate(new Shape(4), ElementType.Float64);
        Assert.Contains("Float64", Assert.Throws<ArgumentException>(() => engine.Fill(doubles, 1)).Message);
    }
}

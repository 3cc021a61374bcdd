using System.Runtime.InteropServices;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Tests.Memory;

/// <summary>The memory of a device for libraries that work on it themselves; the emulated device's is the
/// host's.</summary>
public sealed class DeviceAddressesTests
{
    [Theory]
    [InlineData(ElementType.Float32, 4)]
    [InlineData(ElementType.BFloat16, 2)]
    public void Address_is_that_of_the_first_element(ElementType type, int elementBytes)
    {
        using var engine = Emulated.Create();
        var memory = engine.DeviceMemory!;
        using Tensor all = engine.Allocate(new Shape(5, 7), type), rows = all.Slice(0, 2, 3),
            columns = rows.Slice(1, 3, 2);
        Assert.Equal(memory.AddressOf(all) + 14 * elementBytes, memory.AddressOf(rows));
        Assert.Equal(memory.AddressOf(all) + 17 * elementBytes, memory.AddressOf(columns));
    }

    [Fact]
    public void Elements_are_at_their_address_in_the_order_of_the_stream()
    {
        using var engine = Emulated.Create();
        var memory = engine.DeviceMemory!;
        float[] values = [.. Seeds.NewRandom().Normal(33).Select(value => (float)value)], read = new float[33];
        using Tensor x = engine.FromArray(values), y = engine.Zeros(33);
        engine.Copy(x, y);
        memory.MakeCurrent();
        Assert.True(memory.HasReached(memory.Mark()));
        Marshal.Copy(memory.AddressOf(y), read, 0, read.Length);
        Assert.Equal(values, read);
        Assert.Equal((DeviceKind.Emulated, 0), (memory.Kind, memory.Stream));
    }

    [Fact]
    public void A_tensor_of_another_engine_is_refused()
    {
        using IEngine engine = Emulated.Create(), other = Emulated.Create();
        using var x = other.Zeros(3);
        Assert.Throws<ArgumentException>(() => engine.DeviceMemory!.AddressOf(x));
        Assert.NotEqual(engine.DeviceMemory!.Device, other.DeviceMemory!.Device);
    }
}

using ILGPU;
using S2ILGPU.Kernels;
using S2ILGPU.Kernels.Elementwise;
using S2ILGPU.Queue;
using Xunit;

namespace S2ILGPU.Tests.Queue;

public sealed class DeviceQueueTests : IDisposable
{
    private readonly IlgpuEngine _engine = IlgpuDevices.CreateEngine(Emulated.Device);

    private DeviceQueue Device => _engine.Queue;

    [Theory]
    [InlineData(65_536, 1)]
    [InlineData(1, 65_536)]
    public void A_grid_that_devices_do_not_take_is_refused_with_its_extents(int y, int z)
    {
        string message = Assert.Throws<ArgumentException>(() => Device.Launch(
            ElementwiseKernel.Rows<AddOperation, StoredSingle>, new Index3D(7, y, z), 16, new AddOperation())).Message;
        Assert.Contains($"7 x {y} x {z} groups", message);
        Assert.Contains("at most 65535", message);
    }

    [Fact]
    public void Nothing_is_queued_for_an_empty_grid() =>
        Device.Launch(ElementwiseKernel.Rows<AddOperation, StoredSingle>, new Index3D(0, 1, 1), 16, new AddOperation());

    public void Dispose() => _engine.Dispose();
}

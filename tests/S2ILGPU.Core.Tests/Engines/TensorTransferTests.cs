using S2ILGPU.Cpu;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Cpu.Threads;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.Core.Tests.Engines;

public sealed class TensorTransferTests : IDisposable
{
    private readonly CpuEngine _engine = new();

    [Fact]
    public void Arrays_go_there_and_back()
    {
        using var matrix = _engine.FromArray([1f, 2, 3, 4, 5, 6], 2, 3);
        Assert.Equal(new Shape(2, 3), matrix.Shape);
        using var transposed = matrix.Permute(1, 0);
        Assert.Equal([1f, 4, 2, 5, 3, 6], _engine.ToArray(transposed));
        using var vector = _engine.FromArray([7f, 8]);
        Assert.Equal(new Shape(2), vector.Shape);
        using var ids = _engine.FromArray([1, -2, 3], 3);
        Assert.Equal(ElementType.Int32, ids.ElementType);
        Assert.Equal([1, -2, 3], _engine.ToIntArray(ids));
        using var zeros = _engine.Zeros(2, 2);
        Assert.Equal(new float[4], _engine.ToArray(zeros));
    }

    [Fact]
    public void Counts_must_fit()
    {
        long used = _engine.UsedBytes;
        Assert.Equal("3 values for a tensor [2, 2] of 4 elements",
            Assert.Throws<ArgumentException>(() => _engine.FromArray([1f, 2, 3], 2, 2)).Message);
        Assert.Equal(used, _engine.UsedBytes);
        using var tensor = _engine.Zeros(3);
        Assert.Throws<ArgumentException>(() => _engine.Download(tensor, new float[4]));
        Assert.Throws<ArgumentException>(() => _engine.Upload(new float[2], tensor));
        Assert.Throws<ArgumentException>(() => _engine.ToIntArray(tensor));
    }

    [Fact]
    public void Sizes_that_no_tensor_has_are_named()
    {
        // above 2^31 elements, but no stride is
        using var outermost = Tensor.Create(new UnlimitedBuffer(), new Shape(200000, 2, 64, 256), ElementType.Float32);
        Assert.Equal(6_553_600_000, outermost.Count);
        Refused("[1, 200000, 64, 256]", "2147483647", () =>
            Tensor.Create(new UnlimitedBuffer(), new Shape(1, 200000, 64, 256), ElementType.Float16));
        Refused("[0, 200000, 64, 256]", "2147483647", () =>
            Tensor.Create(new UnlimitedBuffer(), new Shape(0, 200000, 64, 256), ElementType.Float16));
        // 2^64 - 2^34 + 4
        Refused("[2147483647, 2147483647, 4]", "1152921504606846975", () =>
            _engine.Allocate(new Shape(int.MaxValue, int.MaxValue, 4), ElementType.Float32));
        Assert.Equal((0, 1152921504606846975, 1),
            (new Shape(int.MaxValue, int.MaxValue, int.MaxValue, 0).Count, new Shape(1, 1073741823, 1073741825).Count,
            new Shape().Count));

        static void Refused(string shape, string limit, Func<object> create)
        {
            string message = Assert.Throws<ShapeException>(create).Message;
            Assert.Contains(shape, message);
            Assert.Contains(limit, message);
        }
    }

    public void Dispose() => _engine.Dispose();

    private sealed class UnlimitedBuffer() : DeviceBuffer(long.MaxValue)
    {
        protected override void Return()
        {
        }
    }
}

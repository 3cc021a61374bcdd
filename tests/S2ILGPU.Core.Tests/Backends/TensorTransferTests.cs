using S2ILGPU.Backends;
using S2ILGPU.Cpu;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.Core.Tests.Backends;

public sealed class TensorTransferTests : IDisposable
{
    private readonly CpuBackend _engine = new();

    [Fact]
    public void ArraysGoThereAndBack()
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
    public void CountsMustFit()
    {
        long used = _engine.UsedBytes;
        Assert.Equal("3 values for a tensor [2, 2] of 4 elements", Assert.Throws<ArgumentException>(() => _engine.FromArray([1f, 2, 3], 2, 2)).Message);
        Assert.Equal(used, _engine.UsedBytes);
        using var tensor = _engine.Zeros(3);
        Assert.Throws<ArgumentException>(() => _engine.Download(tensor, new float[4]));
        Assert.Throws<ArgumentException>(() => _engine.Upload(new float[2], tensor));
        Assert.Throws<ArgumentException>(() => _engine.ToIntArray(tensor));
    }

    public void Dispose() => _engine.Dispose();
}

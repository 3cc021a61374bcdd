using System.Numerics.Tensors;
using S2ILGPU.Cpu;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.Tests.Memory;

public sealed class TensorSpanTests
{
    [Fact]
    public void Tensor_spans_go_in_and_out_with_their_strides()
    {
        using var engine = new CpuEngine();
        float[] values = [.. Enumerable.Range(0, 24).Select(n => (float)n)];
        var whole = new ReadOnlyTensorSpan<float>(values, [2, 3, 4]);
        using var tensor = engine.FromTensorSpan(whole);
        Assert.Equal(new Shape(2, 3, 4), tensor.Shape);
        Assert.Equal(values, engine.ToArray(tensor));

        using var part = engine.FromTensorSpan(whole.Slice([0..2, 1..3, 0..4]));
        Assert.Equal([.. values[4..12], .. values[16..24]], engine.ToArray(part));

        var back = new float[24];
        engine.Download(part, new TensorSpan<float>(back, [2, 3, 4]).Slice([0..2, 0..2, 0..4]));
        Assert.Equal([.. values[4..12], 0, 0, 0, 0, .. values[16..24], 0, 0, 0, 0], back);

        engine.Upload(whole, tensor);
        Assert.Throws<ShapeException>(() => engine.Upload(new ReadOnlyTensorSpan<float>(values, [24]), tensor));
    }
}

using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using Xunit;

namespace S2ILGPU.Tests.Row;

/// <summary>Indices on the device are not looked at by the host: a wrong one gives NaN where it is used and never
/// becomes an address.</summary>
public sealed class OutOfRangeTests : IDisposable
{
    private readonly IEngine _engine = Emulated.Create();
    private readonly List<Tensor> _tensors = [];

    [Theory]
    [InlineData(-1)]
    [InlineData(3)]
    [InlineData(int.MinValue)]
    [InlineData(int.MaxValue)]
    public void An_id_outside_the_table_gives_NaN(int id)
    {
        var (table, ids, y) = (Floats(new Shape(3, 2), 1, 2, 3, 4, 5, 6), Integers(2, id),
            Floats(new Shape(2, 2), 0, 0, 0, 0));
        _engine.Embedding(table, ids, y);
        Assert.Equal([5f, 6f, float.NaN, float.NaN], Values(y));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(3)]
    public void An_id_outside_the_table_adds_nothing(int id)
    {
        var (dy, ids, dtable) = (Floats(new Shape(4, 1), 1, 2, 4, 8), Integers(id, 2, id, 2),
            Floats(new Shape(3, 1), 100, 200, 300));
        _engine.EmbeddingBackward(ids, dy, GradientTarget.AddTo(dtable));
        Assert.Equal([100f, 200f, 310f], Values(dtable));
    }

    [Theory]
    [InlineData(-2)]
    [InlineData(2)]
    public void A_target_that_is_no_column_gives_NaN(int target)
    {
        var (logits, targets) = (Floats(new Shape(2, 2), 0, 0, 0, 0), Integers(0, target));
        var (losses, logSumExp) = (Floats(new Shape(2), 0, 0), Floats(new Shape(2), 0, 0));
        _engine.SoftmaxCrossEntropy(logits, targets, losses, logSumExp);
        var values = Values(losses);
        Assert.Equal(MathF.Log(2), values[0], 1e-6f);
        Assert.Equal(float.NaN, values[1]);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(2)]
    public void A_position_outside_the_tables_gives_NaN(int position)
    {
        var (x, y) = (Floats(new Shape(1, 2, 1, 2), 1, 2, 3, 4), Floats(new Shape(1, 2, 1, 2), 0, 0, 0, 0));
        var (cosine, sine) = (Floats(new Shape(2, 1), 1, 0), Floats(new Shape(2, 1), 0, 1));
        _engine.Rotary(x, cosine, sine, Integers(1, position), GradientTarget.Into(y), inverse: false);
        Assert.Equal([-2f, 1f, float.NaN, float.NaN], Values(y));
    }

    public void Dispose()
    {
        foreach (var tensor in _tensors)
            tensor.Dispose();
        _engine.Dispose();
    }

    private Tensor Floats(Shape shape, params float[] values)
    {
        _tensors.Add(_engine.Allocate(shape, ElementType.Float32));
        _engine.Upload(values, _tensors[^1]);
        return _tensors[^1];
    }

    private Tensor Integers(params int[] values)
    {
        _tensors.Add(_engine.Allocate(new Shape(values.Length), ElementType.Int32));
        _engine.Upload(values, _tensors[^1]);
        return _tensors[^1];
    }

    private float[] Values(Tensor tensor)
    {
        var values = new float[tensor.Count];
        _engine.Download(tensor, values);
        return values;
    }
}

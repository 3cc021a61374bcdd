using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Tests.Row;

/// <summary>A norm takes one launch, its gradients one more, and that of the weight another one.</summary>
public sealed class NormLaunchTests() : EngineTest(Emulated.Create, ElementType.BFloat16)
{
    [Fact]
    public void Norms_take_one_launch_and_gradients_two()
    {
        using Tensor x = Allocate(new Shape(40, 24)), y = Allocate(x.Shape), dx = Allocate(x.Shape),
            weight = Allocate(new Shape(24), FloatType), dweight = Allocate(weight.Shape, FloatType),
            inverseRms = Allocate(new Shape(40), FloatType);
        Assert.Equal(1, LaunchesOf(e => e.RmsNorm(x, weight, y, inverseRms, 1e-5f)));
        Assert.Equal(2, LaunchesOf(e => e.RmsNormBackward(x, weight, inverseRms, y, GradientTarget.Into(dx),
            GradientTarget.AddTo(dweight))));
        Assert.Equal(1, LaunchesOf(e => e.RmsNormBackward(x, weight, inverseRms, y, GradientTarget.Into(dx),
            GradientTarget.None)));
        Assert.Equal(0, LaunchesOf(e => e.RmsNormBackward(x, weight, inverseRms, y, GradientTarget.None,
            GradientTarget.None)));
    }

    // So many rows that their parts are longer than a few.
    [Fact]
    public void Gradients_of_many_rows()
    {
        const int rows = 201, columns = 5;
        TestTensor x = Normal("x", new Shape(rows, columns)), dy = Normal("dy", new Shape(rows, columns));
        var (weight, inverseRms) = (Normal("weight", new Shape(columns), type: FloatType),
            With("inverse RMS", new Shape(rows), [.. Enumerable.Repeat(1.25, rows)], FloatType));
        var (dx, dweight) = (Output("dx", new Shape(rows, columns)), Normal("dweight", new Shape(columns),
            type: FloatType));
        Check("RMS norm gradient of many rows", Backward.Relative, e => e.Engine.RmsNormBackward(e[x], e[weight],
            e[inverseRms], e[dy], e.Target(dx, false), e.Target(dweight, true)));
    }

    private long LaunchesOf(Action<IEngine> call)
    {
        var queue = ((IlgpuEngine)Tested).Queue;
        long before = queue.Launches;
        call(Tested);
        return queue.Launches - before;
    }

    private Tensor Allocate(Shape shape, ElementType? type = null)
    {
        var tensor = Tested.Allocate(shape, type ?? Activations);
        Tested.Fill(tensor, 1);
        return tensor;
    }
}

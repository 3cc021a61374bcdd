using S2ILGPU.Engines;
using S2ILGPU.Tensors;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Tests.Optimizer;

/// <summary>A step of the optimizer takes few launches, however many parameters there are.</summary>
public sealed class OptimizerLaunchTests : IDisposable
{
    private readonly IlgpuEngine _engine = (IlgpuEngine)Emulated.Create();
    private readonly Random _random = Seeds.NewRandom();
    private readonly List<Tensor> _tensors = [];

    public void Dispose()
    {
        foreach (var tensor in _tensors)
            tensor.Dispose();
        _engine.Dispose();
    }

    [Theory]
    [InlineData(1, 3)]
    [InlineData(32, 3)]
    [InlineData(33, 5)]
    [InlineData(100, 9)]
    public void Thirty_two_parameters_take_two_launches_and_the_norm_one(int parameters, int launches)
    {
        TestScale.SkipUnlessDrawn(2);
        var tensors = Enumerable.Range(0, 4).Select(_ => Enumerable.Range(0, parameters).Select(n => Normal(n + 1)))
            .Select(list => list.ToList()).ToList();
        using var sum = _engine.Allocate(new Shape(1), ElementType.Float32);
        long before = _engine.Queue.Launches;
        _engine.SumOfSquares([tensors[1]], sum);
        _engine.AdamW(new AdamWArguments([.. Enumerable.Range(0, parameters).Select(n => new AdamWParameter(
            tensors[0][n], tensors[1][n], tensors[2][n], tensors[3][n], WeightDecay: 0))], 1e-3f, 0.9f, 0.95f, 1e-8f,
            Step: 1, GradientScale: 1));
        Assert.Equal(launches, _engine.Queue.Launches - before);
    }

    [Fact]
    public void A_sum_has_the_same_bits_however_tensors_are_shared_out_to_launches()
    {
        // 40 tensors are two launches, in which an empty one takes no place; 33 and more move others to the second.
        List<Tensor> tensors =
            [.. Enumerable.Range(0, 40).Select(n => Normal(n == 3 ? 20_000 : 1 + _random.Next(200)))];
        float all = SumOf(tensors);
        for (int empty = 1; empty < 32; empty += 10)
            Assert.Equal(all, SumOf([.. Enumerable.Range(0, empty).Select(_ => Normal(0)), .. tensors]));
        Assert.NotEqual(all, SumOf([.. tensors.Skip(1)]));
    }

    // The gradient's norm is made of 192 of them.
    [Fact]
    public void Sums_of_many_lists_take_one_launch_more_than_their_tensors()
    {
        Tensor[][] lists = [.. Enumerable.Range(0, 192).Select(n => new[] { Normal(n % 5) })];
        using var sums = _engine.Allocate(new Shape(192), ElementType.Float32);
        long before = _engine.Queue.Launches;
        _engine.SumOfSquares(lists, sums);
        int tensors = lists.Count(list => list[0].Count > 0);
        Assert.Equal((tensors + 31) / 32 + 1, _engine.Queue.Launches - before);
        Assert.Equal([.. lists.Select(list => SumOf([.. list]))], _engine.ToArray(sums));
    }

    private float SumOf(List<Tensor> tensors)
    {
        using var result = _engine.Allocate(new Shape(1), ElementType.Float32);
        _engine.SumOfSquares([tensors], result);
        return _engine.ToArray(result)[0];
    }

    private Tensor Normal(int count)
    {
        var tensor = _engine.Allocate(new Shape(count), ElementType.Float32);
        _tensors.Add(tensor);
        _engine.Upload((float[])[.. _random.Normal(count).Select(x => (float)x)], tensor);
        return tensor;
    }
}

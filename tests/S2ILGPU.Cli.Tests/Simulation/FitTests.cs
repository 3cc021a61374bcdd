using S2ILGPU.Cli.Simulation.Calibration;
using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests.Simulation;

/// <summary>Costs from times.</summary>
public sealed class FitTests
{
    [Fact]
    public void Exact_times_give_their_costs()
    {
        var random = Seeds.NewRandom();
        double[] costs = [1e-6 * random.NextDouble(), 1e-10 * random.NextDouble(), 1e-8 * random.NextDouble()];
        var calls = Enumerable.Range(0, 20).Select(_ =>
        {
            var operation = new Operation("x", random.Next(1, 1_000_000), random.Next(1, 10_000));
            return (operation, costs[0] + costs[1] * operation.Work + costs[2] * operation.Rows);
        }).ToArray();
        var fitted = OperationFit.Of(calls)["x"];
        Assert.All(calls, call => Assert.Equal(1, fitted.Seconds(call.operation) / call.Item2, 1e-6));
    }

    [Fact]
    public void No_cost_is_below_0()
    {
        // Falls with the work: the best line without a negative slope is flat.
        var fitted = OperationFit.Of([(new Operation("x", 1), 3.0), (new Operation("x", 2), 2.0),
            (new Operation("x", 3), 1.0)])["x"];
        Assert.True(fitted is { Fixed: > 0, PerUnit: 0, PerRow: 0 }, fitted.ToString());
        Assert.Equal(6, 3 * fitted.Fixed, 1e-9);
    }

    // Calls of one size take different times, as what they read is near or far: their mean counts, not the first.
    [Fact]
    public void Calls_of_a_size_count_with_their_mean()
    {
        (Operation Small, Operation Large) sizes = (new Operation("x", 1000), new Operation("x", 2000));
        var fitted = OperationFit.Of([(sizes.Small, 9.0), (sizes.Small, 1.0), (sizes.Small, 2.0), (sizes.Large, 8.0)])
            ["x"];
        Assert.Equal(4, fitted.Seconds(sizes.Small), 1e-6);
        Assert.Equal(8, fitted.Seconds(sizes.Large), 1e-6);
    }

    [Fact]
    public void Features_that_say_the_same_are_no_trouble()
    {
        double[] solution = LeastSquares.Solve([([1, 2], 3, 1), ([2, 4], 6, 1)]);
        Assert.Equal(3, solution[0] + 2 * solution[1], 1e-9);
    }
}

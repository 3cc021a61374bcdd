using S2ILGPU.Cli.Simulation.Calibration;
using S2ILGPU.Cli.Simulation.Serving;
using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests.Simulation;

/// <summary>What a calibration makes of the times of steps, and the texts that it measures.</summary>
public sealed class ServingTimesTests
{
    private const int CallsOfStep = 10;

    // Steps of 10 operations and of very different lengths, traced on a machine that was slower by a quarter.
    [Fact]
    public void Reading_the_clock_is_taken_off()
    {
        var random = Seeds.NewRandom();
        const double Reading = 3e-6, Slower = 1.25;
        double[] seconds = [.. Enumerable.Range(0, 50 * CallsOfStep).Select(i =>
            1e-6 * Math.Pow(10, 2.0 * (i / CallsOfStep) / 50) * (1 + random.NextDouble()))];
        var times = new ServingTimes();
        Assert.False(times.IsMeasured);
        var calls = seconds.Select((s, i) => new TimedCall(new Operation("x", i), i / CallsOfStep,
            Slower * s + Reading)).ToArray();
        times.AddTraced(calls, Steps(calls.Select(call => call.Seconds)));
        times.AddSteps(Steps(seconds));
        Assert.True(times.IsMeasured);
        Assert.Equal(1, times.ReadingSeconds / Reading, 1e-6);
        Assert.All(times.Calls.Zip(seconds), pair => Assert.Equal(Slower, pair.First.Seconds / pair.Second, 1e-4));
        Assert.Equal(1, Assert.Single(times.Rounds) / seconds.Sum(), 1e-9);
    }

    [Fact]
    public void Each_operation_has_the_median_of_its_rounds()
    {
        var times = new ServingTimes();
        foreach (double seconds in (double[])[3, 1, 8])
        {
            times.AddTraced([new TimedCall(new Operation("x", 1), 0, seconds)], [seconds]);
            times.AddSteps([seconds]);
        }
        Assert.Equal(3, Assert.Single(times.Calls).Seconds, 1e-9);
        Assert.Equal([3, 1, 8], times.Rounds);
        times.Forget();
        Assert.False(times.IsMeasured);
    }

    [Fact]
    public void Texts_come_at_each_rate_in_turn()
    {
        Arrival[] texts = [.. Enumerable.Range(1, 6).Select(i => new Arrival(i, [i], i))];
        var rising = RisingTraffic.Of(texts, [0.5, 4, double.PositiveInfinity]);
        Assert.Equal([2, 4, 4.25, 4.5, 4.5, 4.5], rising.Select(text => text.Time));
        Assert.Equal(texts.Select(text => text.Prompt), rising.Select(text => text.Prompt));
    }

    private static double[] Steps(IEnumerable<double> calls) =>
        [.. calls.Chunk(CallsOfStep).Select(step => step.Sum())];
}

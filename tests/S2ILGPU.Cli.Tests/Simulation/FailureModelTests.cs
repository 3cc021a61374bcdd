using S2ILGPU.Cli.Simulation;
using S2ILGPU.TestSupport;
using Xunit;

namespace S2ILGPU.Cli.Tests.Simulation;

/// <summary>Played failures against the expected useful fraction.</summary>
public sealed class FailureModelTests
{
    private const double Hour = 3600;

    [Theory]
    [InlineData(10_000, 1.0)]
    [InlineData(10_000, 5.0)]
    [InlineData(30_000, 0.3)]
    [InlineData(1_000, 1.0)]
    public void Played_runs_have_the_expected_useful_fraction(int ranks, double intervals)
    {
        var model = new FailureModel(50_000 * Hour, RecoverySeconds: 900, CheckpointSeconds: 60);
        double interval = intervals * model.BestInterval(ranks);
        int seed = Seeds.NewRandom().Next();
        // Many runs, so that the error of their mean is known.
        double[] played = [.. Enumerable.Range(0, 100).Select(i =>
            model.Run(ranks, interval, 2000 * Hour, unchecked(seed + i)).UsefulFraction)];
        double mean = played.Average(),
            error = Math.Sqrt(played.Sum(p => (p - mean) * (p - mean)) / played.Length / (played.Length - 1)),
            atTheEnd = (interval + 60) / (2000 * Hour); // work that no checkpoint holds yet
        double expected = model.ExpectedUsefulFraction(ranks, interval);
        Assert.True(Math.Abs(mean - expected) < 6 * error + atTheEnd,
            $"played {mean} +- {error}, expected {expected}, seed {seed}");
    }

    [Fact]
    public void The_best_interval_loses_least()
    {
        var model = new FailureModel(50_000 * Hour, RecoverySeconds: 300, CheckpointSeconds: 10);
        double best = model.BestInterval(10_000), fraction = model.ExpectedUsefulFraction(10_000, best);
        Assert.Equal(Math.Sqrt(2 * 10 * 5 * Hour), best, 1e-9);
        Assert.True(fraction > model.ExpectedUsefulFraction(10_000, best / 2));
        Assert.True(fraction > model.ExpectedUsefulFraction(10_000, best * 2));
    }

    [Fact]
    public void A_seed_decides_all_failures()
    {
        var model = new FailureModel(50_000 * Hour, 300, 10);
        var run = model.Run(10_000, 600, 700 * Hour, seed: 3);
        Assert.Equal(run, model.Run(10_000, 600, 700 * Hour, seed: 3));
        Assert.NotEqual(run, model.Run(10_000, 600, 700 * Hour, seed: 4));
        Assert.InRange(run.Failures, 60, 240); // 140 are expected
    }

    [Fact]
    public void Without_failures_only_checkpoints_cost_time()
    {
        var model = new FailureModel(1e14, 300, 10);
        Assert.Equal(90 / 100.0, model.Run(8, 90, 100 * 1000, seed: 1).UsefulFraction, 1e-12);
        Assert.Equal(90 / 100.0, model.ExpectedUsefulFraction(8, 90), 1e-4);
    }
}

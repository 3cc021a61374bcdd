using S2ILGPU.Models;
using S2ILGPU.Quality;
using Xunit;

namespace S2ILGPU.Cli.Tests.Quality;

/// <summary>The arithmetic of bench/S2ILGPU.Quality on fixed numbers.</summary>
public sealed class StudyArithmeticTests
{
    private static readonly StudySettings s_settings = new()
    {
        Dim = 64,
        Layers = 4,
        Heads = 4,
        BlockTokens = 16,
        LocalBlocks = 4,
        ContextTokens = 512,
    };

    [Fact]
    public void Mean_and_spread_of_some_values()
    {
        var sample = Sample.Of(2, 4, 4, 4, 5, 5, 7, 9); // squares of differences add up to 32
        Assert.Equal((5, 8), (sample.Mean, sample.Count));
        Assert.Equal(Math.Sqrt(32.0 / 7), sample.Spread, tolerance: 1e-12);
    }

    [Theory]
    [InlineData(new double[] { }, 3, false, "")]
    [InlineData(new[] { 1.24 }, 1, false, "1.2")]
    [InlineData(new[] { 1.0, 2.0 }, 3, false, "1.500 ± 0.707")]
    [InlineData(new[] { 1.0, 2.0 }, 2, true, "+1.50 ± 0.71")]
    [InlineData(new[] { -1.0, -1.0 }, 2, true, "-1.00 ± 0.00")]
    [InlineData(new[] { -0.0004 }, 3, true, "0.000")]
    [InlineData(new[] { 100.0, 102.0 }, 0, false, "101 ± 1")]
    public void Samples_are_written_with_as_many_decimals(double[] values, int decimals, bool isDifference,
        string text) => Assert.Equal(text, Sample.Of(values).Text(decimals, isDifference));

    [Theory]
    [InlineData(5.5, 10)]
    [InlineData(4.0, 40)] // 4.0 at step 20 does not stay
    [InlineData(4.2, 20)]
    [InlineData(3.9, 40)]
    [InlineData(3.8, null)]
    public void Steps_to_a_loss_are_those_from_which_it_stays(double loss, int? steps)
    {
        CurvePoint[] curve = [new(10, 5.5), new(20, 4.0), new(30, 4.1), new(40, 3.9)];
        Assert.Equal(steps, CurvePoint.StepsTo(curve, loss));
    }

    [Fact]
    public void Positions_are_averaged_by_equal_parts()
    {
        double[] losses = [1, 3, 10, 20, 0, 0];
        Assert.Equal([2, 15, 0], PositionLosses.ByPart(losses, 3));
        Assert.Equal(losses, PositionLosses.ByPart(losses, 6));
        Assert.Throws<ArgumentException>(() => PositionLosses.ByPart(losses, 4));
    }

    [Fact]
    public void Imbalance_is_the_largest_head_over_the_mean() =>
        Assert.Equal((2 + 1) / 2.0, HeadNorms.Imbalance([[1, 1, 4, 2], [3, 3, 3, 3]]), tolerance: 1e-12);

    // Of 32 rows of blocks a head of S2 keeps 122 in its window and 105 further ones at most.
    [Fact]
    public void The_window_reads_as_many_blocks_as_s2()
    {
        int window = StudyPlan.EqualWindow(s_settings, 512);
        Assert.Equal(8, window);
        Assert.Equal(4, StudyPlan.EqualWindow(s_settings, 64)); // there all blocks are local
    }

    [Fact]
    public void Costs_count_blocks_parameters_and_kept_keys()
    {
        var dense = PlanCost.Of(Model(StudyPlan.Dense), 512);
        Assert.Equal(4L * 4 * 4 * (32 * 33 / 2) * 16 * 16 * 16, dense.AttentionFlops); // layers, heads, blocks, D
        Assert.Equal(4L * 2 * 4 * 512 * 16 * sizeof(float), dense.CacheBytes);
        Assert.Equal(2 * 512 * Model(StudyPlan.Dense).ParameterCount, dense.ProductFlops);

        var window = PlanCost.Of(Model("window"), 512);
        Assert.Equal(4L * 4 * 4 * (8 * 32 - 8 * 7 / 2) * 16 * 16 * 16, window.AttentionFlops);
        var hybrid = PlanCost.Of(Model("second-dense"), 512);
        var s2 = PlanCost.Of(Model(StudyPlan.Sparse), 512);
        Assert.Equal((dense.AttentionFlops + s2.AttentionFlops) / 2, hybrid.AttentionFlops);
        Assert.InRange(s2.CacheBytes, dense.CacheBytes / 4, dense.CacheBytes / 2);
    }

    [Theory]
    [InlineData(256, 96, 7)] // 256, 231, 205, 180, 154, 128, 103 | 77 ...
    [InlineData(128, 96, 3)]
    [InlineData(64, 96, 0)]
    public void Far_needles_are_beyond_the_window(int tokens, int window, int depths) =>
        Assert.Equal(depths, StudyTables.FarDepths(tokens, window));

    [Fact]
    public void Recall_is_a_fraction_of_the_needles_at_some_depths()
    {
        var result = new RecallResult(1, [64], [[4, 2, 0, 1]], [4]);
        Assert.Equal(0.75, result.Fraction(0, ..2));
        Assert.Equal(0.125, result.Fraction(0, 2..));
    }

    [Fact]
    public void Hybrids_have_the_dense_layers_of_their_names()
    {
        var plans = StudyPlan.All(s_settings, 4, 512);
        Assert.Equal(["dense", "s2", "first-dense", "second-dense", "window", "homogeneous"],
            plans.Select(plan => plan.Name));
        Assert.Equal([true, false, false, false], DenseLayers("first-dense"));
        Assert.Equal([false, true, false, true], DenseLayers("second-dense"));

        IEnumerable<bool> DenseLayers(string name) => Enumerable.Range(0, 4).Select(layer =>
            plans.Single(plan => plan.Name == name).Attention[layer] is DenseAttention);
    }

    [Fact]
    public void Command_lines_are_read()
    {
        Assert.Null(StudyRequest.Parse(["--slow"]));
        Assert.Null(StudyRequest.Parse(["--out"]));
        var request = StudyRequest.Parse(["--quick", "--data", "a", "--data", "b", "--report"])!;
        Assert.True(request is { IsQuick: true, IsReport: true });
        Assert.Equal(["a", "b"], request.Data);
        Assert.Equal(StudySettings.Quick, request.Settings);
    }

    private static TransformerConfig Model(string name) =>
        s_settings.Model(StudyPlan.All(s_settings, 4, 512).Single(plan => plan.Name == name).Attention);
}

using System.Globalization;
using S2ILGPU.Layouts;

namespace S2ILGPU.Cli.Bench;

/// <summary>What it costs to build a layout, beside one attention forward on it. Both costs grow with the heads: the
/// layout is built for all of them, the forward pass runs over one and counts for all.</summary>
internal static class LayoutBench
{
    /// <summary>Heads whose layout is built.</summary>
    public const int Heads = 32;

    /// <summary>D of the forward pass.</summary>
    public const int HeadDim = 64;

    public static FigureGroup Measure(BenchMachine machine)
    {
        int tokens = machine.Settings.LayoutTokens;
        var timings = Time(machine, tokens);
        return new FigureGroup("layouts",
            [Of("rows", 1, Targets.ForwardOverLayout), Of("rows and columns", 2, Targets.ForwardOverLayout)]);

        Figure Of(string what, int variant, double target)
        {
            string note = string.Create(CultureInfo.InvariantCulture,
                $"{timings[variant].Median * 1e3:0.0} ms, "
                + $"{timings[variant].Median / (Heads * timings[0].Median):0.00%} of a forward pass");
            return timings.RatioFigure(
                $"forward D{HeadDim} over its layout, {tokens} tokens x {Heads} heads, {BenchPatterns.Sparse[0]}, "
                + $"{what}",
                timings.Ratio(variant, baseline: 0).Each(r => r * Heads), target, "x", note);
        }
    }

    /// <summary>Times one head's forward pass, building the rows of all heads, and building rows and columns, in this
    /// order.</summary>
    public static Timings Time(BenchMachine machine, int tokens)
    {
        var pattern = BenchPatterns.L16S8(Heads, Heads);
        using var inputs = new AttentionInputs(machine.All, new AttentionSize(tokens, 1, 1, HeadDim));
        using var work = new AttentionWork(inputs, pattern.SliceHeads(0..1));
        return machine.Time(machine.Settings.LayoutRounds, Yardsticks.PeakAllThreads, work.Forward,
            () => BlockLayout.Create(pattern, tokens),
            () => _ = BlockLayout.Create(pattern, tokens).Column(0, 0).Count);
    }
}

using System.Globalization;

namespace S2ILGPU.Cli.Bench;

/// <summary>Sparse over dense attention, forward, at growing lengths, against what the numbers of blocks
/// allow.</summary>
internal static class SpeedUpBench
{
    private const int HeadDim = 64;

    /// <summary>The figures, and the points of the curve.</summary>
    public static (FigureGroup Group, IReadOnlyList<SpeedUp> Points) Measure(BenchMachine machine)
    {
        var figures = new List<Figure>();
        var points = new List<SpeedUp>();
        foreach (int tokens in machine.Settings.SpeedUpTokens)
        {
            var (timings, speedUps) = Measure(machine, tokens);
            foreach (var (pattern, ratio, ceiling) in speedUps)
            {
                points.Add(new SpeedUp(pattern, tokens, ratio.Median, ceiling));
                double? target = tokens >= Targets.SpeedUpTokens ? Targets.SpeedUpOfCeiling : null;
                string name = $"sparse over dense forward D{HeadDim}, {tokens} tokens, {pattern}";
                figures.Add(timings.RatioFigure(name, ratio.Each(r => r / ceiling), target, Unit(ceiling),
                    Note(ratio.Median, ceiling)) with { Ceiling = 1 });
            }
        }
        return (new FigureGroup("sparse over dense attention", figures), points);
    }

    private static string Unit(double ceiling) =>
        string.Create(CultureInfo.InvariantCulture, $"of the ceiling {ceiling:0.00}x");

    // More than the ceiling says that dense attention waited (for memory, for a busy machine), and nothing good about
    // the sparse one.
    private static string Note(double ratio, double ceiling) => ratio > ceiling
        ? string.Create(CultureInfo.InvariantCulture,
        $"no better than the ceiling {ceiling:0.00}x: dense attention waited for memory or a busy machine")
        : string.Create(CultureInfo.InvariantCulture, $"{ratio:0.00}x of at most {ceiling:0.00}x");

    private static (Timings Timings, List<(string Pattern, Samples Ratio, double Ceiling)> SpeedUps) Measure(
        BenchMachine machine, int tokens)
    {
        var patterns = BenchPatterns.All(machine.Settings.Heads);
        using var inputs = new AttentionInputs(machine.All,
            new AttentionSize(tokens, machine.Settings.Heads, machine.Settings.Heads, HeadDim));
        AttentionWork[] work = [.. patterns.Select(p => new AttentionWork(inputs, p.Pattern))];
        var timings = machine.Time(machine.Settings.SpeedUpRounds, Yardsticks.PeakAllThreads,
            [.. work.Select(w => (Action)w.Forward)]);
        var results = new List<(string, Samples, double)>();
        for (int i = 1; i < work.Length; i++)
            results.Add((patterns[i].Name, timings.Ratio(i, baseline: 0), work[0].Scores / work[i].Scores));
        foreach (var w in work)
            w.Dispose();
        return (timings, results);
    }
}

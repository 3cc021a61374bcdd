using S2ILGPU.Patterns;

namespace S2ILGPU.Cli.Bench;

/// <summary>What does not fit evenly, against what does: time per score of the kept blocks of the aligned case over
/// that of the odd one.</summary>
internal static class ShapesBench
{
    private const int HeadDim = 64;

    public static FigureGroup Measure(BenchMachine machine) =>
        new("odd shapes", [.. Measure(machine, isBackward: false), .. Measure(machine, isBackward: true)]);

    private static List<Figure> Measure(BenchMachine machine, bool isBackward)
    {
        int tokens = machine.Settings.ShapeTokens, heads = machine.Settings.Heads,
            keyValueHeads = Math.Max(1, heads / 4);
        LocalStridePattern full = BenchPatterns.L16S8(heads, heads), shared = BenchPatterns.L16S8(heads, keyValueHeads);
        var aligned = new AttentionSize(tokens, heads, heads, HeadDim, HasGradients: isBackward);
        using AttentionInputs plain = new(machine.All, aligned),
            odd = new(machine.All, aligned with { Tokens = tokens - 37 }),
            grouped = new(machine.All, aligned with { KeyValueHeads = keyValueHeads }),
                fused = new(machine.All, aligned with { IsFused = true });
        (string Name, AttentionWork Work, double? Target)[] cases =
        [
            ("aligned", new AttentionWork(plain, full), null),
            ($"{tokens - 37} tokens", new AttentionWork(odd, full), Targets.OddShapes),
            ($"{heads} query heads on {keyValueHeads} key/value heads", new AttentionWork(grouped, shared),
                Targets.OddShapes),
            ("packed sequences", new AttentionWork(plain, full, Lengths(tokens)), Targets.OddShapes),
            ("one long sequence beside four short ones", new AttentionWork(plain, full, OneLong(tokens)),
                Targets.OddShapes),
            ("views of one fused tensor", new AttentionWork(fused, full), Targets.OddShapes),
            ("blocks of 16 tokens", new AttentionWork(plain, BenchPatterns.L16S8(heads, heads, blockTokens: 16)),
                Targets.OddShapes),
        ];
        foreach (var (_, work, _) in cases)
            work.Forward();
        Action[] variants = [.. cases.Select(c => isBackward ? (Action)c.Work.Backward : c.Work.Forward)];
        var timings = machine.Time(machine.Settings.AttentionRounds, Yardsticks.PeakAllThreads, variants);
        var figures = new List<Figure>();
        for (int i = 1; i < cases.Length; i++)
        {
            double more = cases[i].Work.Scores / cases[0].Work.Scores;
            string name =
                $"{(isBackward ? "backward" : "forward")} D{HeadDim}, {tokens} tokens, {BenchPatterns.Sparse[0]}: "
                + $"{cases[i].Name}";
            figures.Add(timings.RatioFigure(name, timings.Ratio(i, baseline: 0).Each(r => r * more), cases[i].Target,
                "of the aligned case per kept block"));
        }
        foreach (var (_, work, _) in cases)
            work.Dispose();
        return figures;
    }

    private static int[] OneLong(int tokens) => [tokens / 2, tokens / 8, tokens / 8, tokens / 8, tokens / 8];

    // Uneven parts, none a multiple of a block.
    private static int[] Lengths(int tokens)
    {
        int first = tokens * 3 / 8 + 5, second = tokens / 8 + 3, third = tokens / 4 + 9;
        return [first, second, third, tokens - first - second - third];
    }
}

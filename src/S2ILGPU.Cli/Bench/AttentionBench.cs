namespace S2ILGPU.Cli.Bench;

/// <summary>Attention forward and backward: multiplications and additions over the kept blocks per second, of what the
/// machine can do.</summary>
internal static class AttentionBench
{
    public static FigureGroup Forward(BenchMachine machine) => Measure(machine, isBackward: false);

    public static FigureGroup Backward(BenchMachine machine) => Measure(machine, isBackward: true);

    private static FigureGroup Measure(BenchMachine machine, bool isBackward)
    {
        var figures = new List<Figure>();
        foreach (int headDim in machine.Settings.HeadDims)
            foreach (int tokens in machine.Settings.AttentionTokens)
                figures.AddRange(Measure(machine, headDim, tokens, isBackward));
        return new FigureGroup(isBackward ? "attention backward" : "attention forward", figures);
    }

    private static IEnumerable<Figure> Measure(BenchMachine machine, int headDim, int tokens, bool isBackward)
    {
        var patterns = BenchPatterns.All(machine.Settings.Heads);
        var size = new AttentionSize(tokens, machine.Settings.Heads, machine.Settings.Heads, headDim,
            HasGradients: isBackward);
        using var inputs = new AttentionInputs(machine.All, size);
        AttentionWork[] work = [.. patterns.Select(p => new AttentionWork(inputs, p.Pattern))];
        foreach (var w in work)
            w.Forward();
        Action[] variants = [.. work.Select(w => isBackward ? (Action)w.Backward : w.Forward)];
        var timings = machine.Time(machine.Settings.AttentionRounds, Yardsticks.PeakAllThreads, variants);
        var figures = new List<Figure>();
        for (int i = 0; i < work.Length; i++)
        {
            double target = (isBackward, i == 0) switch
            {
                (false, true) => Targets.ForwardDense,
                (false, false) => Targets.ForwardSparse,
                (true, true) => Targets.BackwardDense,
                (true, false) => Targets.BackwardSparse,
            };
            figures.Add(timings.Figure(
                $"{(isBackward ? "backward" : "forward")} D{headDim}, {tokens} tokens, {patterns[i].Name}", i,
                isBackward ? work[i].BackwardFlops : work[i].ForwardFlops, timings.PeakAllThreads, target,
                Figure.OfPeak));
            work[i].Dispose();
        }
        return figures;
    }
}

namespace S2ILGPU.Cli.Bench;

/// <summary>Attention forward on a machine that has other things to do: threads of this process that spin without end,
/// as many as several other programs would have. The fair share is that of the engine's threads among all that want a
/// core; far below it, workers would be waiting for each other.</summary>
internal static class BusyBench
{
    private const int HeadDim = 64, Others = 8;

    public static FigureGroup Measure(BenchMachine machine)
    {
        int heads = machine.Settings.Heads, tokens = machine.Settings.ShapeTokens, threads = machine.All.Threads;
        using var inputs = new AttentionInputs(machine.All, new AttentionSize(tokens, heads, heads, HeadDim));
        var patterns = BenchPatterns.All(heads);
        AttentionWork[] work = [.. patterns.Select(p => new AttentionWork(inputs, p.Pattern))];
        Action[] variants = [.. work.Select(w => (Action)w.Forward)];
        var alone = machine.Time(machine.Settings.BusyRounds, Yardsticks.PeakAllThreads, variants);
        Timings beside; // without the peak: beside others it is none
        using (new SpinningThreads(Others))
            beside = machine.Time(machine.Settings.BusyRounds, Yardsticks.None, variants);
        double share = Math.Min(1, (double)Environment.ProcessorCount / (threads + Others));
        var figures = new List<Figure>();
        for (int i = 0; i < work.Length; i++)
        {
            double fair = alone[i].Median / share;
            string name = $"forward D{HeadDim}, {tokens} tokens, {patterns[i].Name}, beside {Others} busy threads";
            figures.Add(alone.RatioFigure(name, beside[i].Each(s => fair / s), Targets.BusyOfFairShare,
                "of the fair share"));
            work[i].Dispose();
        }
        return new FigureGroup("busy machine", figures);
    }

    private sealed class SpinningThreads : IDisposable
    {
        private readonly Thread[] _threads;
        private volatile bool _stop;

        public SpinningThreads(int count)
        {
            _threads = [.. Enumerable.Range(0, count).Select(_ => new Thread(Spin) { IsBackground = true })];
            foreach (var thread in _threads)
                thread.Start();
        }

        public void Dispose()
        {
            _stop = true;
            foreach (var thread in _threads)
                thread.Join();
        }

        private void Spin()
        {
            while (!_stop)
                Thread.SpinWait(100);
        }
    }
}

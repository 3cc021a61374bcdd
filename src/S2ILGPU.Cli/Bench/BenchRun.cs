namespace S2ILGPU.Cli.Bench;

/// <summary>One run over all groups of figures.</summary>
internal static class BenchRun
{
    /// <summary>Measures everything.</summary>
    /// <param name="settings">Sizes and patience.</param>
    /// <param name="begin">Called with the machine before anything is measured.</param>
    /// <param name="show">Called with each group as soon as it is measured.</param>
    /// <param name="cancellation">Ends the run after the group under way.</param>
    public static BenchReport Run(BenchSettings settings, Action<MachineFacts> begin, Action<FigureGroup> show,
        CancellationToken cancellation)
    {
        using var machine = new BenchMachine(settings);
        var facts = MachineFacts.Of(machine.All);
        begin(facts);
        var notes = new List<string>();
        IReadOnlyList<SpeedUp> speedUps = [];
        Func<FigureGroup>[] measurements =
        [
            () => MatMulBench.Measure(machine),
            () => AttentionBench.Forward(machine),
            () => AttentionBench.Backward(machine),
            () =>
            {
                (var group, speedUps) = SpeedUpBench.Measure(machine);
                return group;
            },
            () => DecodeBench.Measure(machine),
            () => TrainingBench.Measure(machine),
            () => ContextBench.Measure(machine),
            () => ShapesBench.Measure(machine),
            () => LayoutBench.Measure(machine),
            () => BusyBench.Measure(machine),
            () => WidthBench.Measure(machine),
            () => PeerBench.Measure(machine, notes),
        ];
        var groups = new List<FigureGroup>();
        foreach (var measure in measurements)
        {
            cancellation.ThrowIfCancellationRequested();
            machine.MeasureLimits();
            var group = measure();
            if (group.Figures.Count == 0)
                continue;
            groups.Add(group);
            show(group);
        }
        if (machine.Limits.Warning is { } warning)
            notes.Add(warning);
        var today = DateOnly.FromDateTime(DateTime.UtcNow);
        return new BenchReport(facts, today, BenchMachine.Commit(), machine.Limits, groups, speedUps, notes);
    }
}

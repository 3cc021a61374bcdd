using System.Diagnostics;
using System.Globalization;
using S2ILGPU.Cli.Bench.Device;
using S2ILGPU.Cli.Training;
using S2ILGPU.Engines;
using S2ILGPU.Layouts;

namespace S2ILGPU.Cli.Bench.Report;

/// <summary>One run over everything that a report shows. Writes no file.</summary>
/// <param name="settings">Sizes and patience.</param>
/// <param name="command">The command line, for the page.</param>
/// <param name="show">Called with every line as soon as it is known.</param>
/// <param name="cancellation">Ends the run.</param>
internal sealed class ReportRun(ReportSettings settings, string command, Action<string> show,
    CancellationToken cancellation)
{
    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly List<DeviceEntry> _attention = [];
    private readonly List<ProductEntry> _products = [];
    private readonly List<ModelEntry> _models = [];
    private readonly List<LayoutEntry> _layouts = [];
    private readonly List<PeerFigures> _peers = [];
    private readonly List<string> _leftOut = [];
    private readonly List<string> _notes = [];

    private double Minutes => Stopwatch.GetElapsedTime(_began).TotalMinutes;

    /// <summary>Measures without peers.</summary>
    public MachineReport Run() => Measure(machine => []);

    /// <summary>Measures the peers beside ours, then everything.</summary>
    /// <param name="program">The program with the peers; null where it is not built.</param>
    public MachineReport RunWithPeers(PeerProgram? program)
    {
        if (program is null)
            _notes.AddRange(PeerProgram.Names.Select(peer => $"{peer}: {PeerProgram.NotBuilt}"));
        return Measure(machine =>
        {
            if (program is not null)
                MeasurePeers(program);
            var group = PeerBench.Measure(machine, _notes);
            foreach (var figure in group.Figures)
                show($"{figure.Name}: {FigureText.Value(figure, figure.Value)}");
            return group.Figures;
        });
    }

    private MachineReport Measure(Func<BenchMachine, IReadOnlyList<Figure>> measurePeers)
    {
        using var machine = new BenchMachine(settings.Machine);
        var facts = MachineFacts.Of(machine.All);
        show($"{facts}");
        // The first yardsticks choose the lengths; every figure has its own.
        machine.Time(new Rounds(5, 20, 0.5), Yardsticks.PeakOneThread | Yardsticks.PeakAllThreads
            | Yardsticks.ReadRate);
        var overOpenBlas = measurePeers(machine);
        var device = Engine.Devices().First(d => d.Kind == DeviceKind.Cpu);
        double peakFlops = machine.Limits.Peaks[machine.All.Threads].Rate * 1e9;
        var plan = new ReportPlan(settings, peakFlops, device.MemoryBytes, settings.Minutes - Minutes);
        show(string.Create(CultureInfo.InvariantCulture,
            $"about {plan.EstimatedMinutes:0.0} minutes for attention, training and generation"));
        foreach (string line in plan.LeftOut)
            LeaveOut(line);
        MeasureAttention(machine, device, plan);
        machine.MeasureLimits();
        MeasureProducts(machine);
        machine.MeasureLimits();
        MeasureLayouts(machine);
        machine.MeasureLimits();
        MeasureModels(machine, plan);
        machine.MeasureLimits();
        if (machine.Limits.Warning is { } warning)
            _notes.Add(warning);
        return new MachineReport(new ReportFacts(facts, DateOnly.FromDateTime(DateTime.UtcNow),
            DeviceReport.CommitOfTool(), command, Minutes, machine.Limits),
            Headline.Of(settings, _attention, _models), _attention, _products, _models, _layouts, _peers, overOpenBlas,
            _leftOut, _notes);
    }

    private void MeasurePeers(PeerProgram program)
    {
        foreach (var (i, peer) in PeerProgram.Names.Index())
        {
            show($"{peer} beside ours");
            // The time that is left, divided among the peers that are left.
            double minutes = Math.Max(0, settings.PeerMinutes - Minutes) / (PeerProgram.Names.Count - i);
            try
            {
                _peers.Add(program.Run(peer, settings.IsQuick, TimeSpan.FromMinutes(minutes), cancellation));
            }
            catch (PeerMissingException e)
            {
                _notes.Add($"{peer}: {e.Message}");
                show(_notes[^1]);
            }
        }
    }

    private void MeasureAttention(BenchMachine machine, DeviceInfo device, ReportPlan plan)
    {
        var attention = new DeviceBenchSettings { Heads = settings.Heads, KeyValueHeads = settings.KeyValueHeads,
            Patterns = settings.Patterns, Rounds = settings.Rounds, BatchSeconds = settings.BatchSeconds };
        foreach (var (work, lengths) in ((string, IReadOnlyList<IReadOnlyList<int>>)[])
            [("forward", plan.Forward), ("backward", plan.Backward)])
            foreach (var (headDim, ofHeadDim) in settings.HeadDims.Zip(lengths))
                foreach (int tokens in ofHeadDim)
                    if (HasTime($"attention {work} D{headDim}", tokens))
                        Run(attention with { Works = [work], HeadDims = [headDim], Tokens = [tokens] });
        Run(attention with { Works = ["decode"], HeadDims = [settings.HeadDims[0]], Tokens = settings.DecodeTokens,
            DecodeTokens = DecodeTokens(machine, device) });

        void Run(DeviceBenchSettings part)
        {
            var report = new DeviceBench(machine.All, device, part, machine).Run(ShowAll, cancellation);
            _attention.AddRange(report.Entries.Cast<DeviceEntry>());
            _notes.AddRange(report.Notes);
        }
    }

    // Positions of all sequences together, so that even what the sparsest pattern keeps comes from memory.
    private int DecodeTokens(BenchMachine machine, DeviceInfo device)
    {
        const double ShareOfMemory = 0.25, MostElements = 1 << 30;
        const int CacheBytes = 2; // a bfloat16
        int longest = settings.DecodeTokens[^1];
        double rowElements = (double)settings.KeyValueHeads * settings.HeadDims[0];
        long kept = BlockLayout.Create(settings.Patterns[^1].Create(settings.Heads, settings.KeyValueHeads), longest,
            queryTokens: 1).KeptBlocks;
        double keptBytes = 2.0 * kept * DevicePattern.BlockTokens * settings.HeadDims[0] * CacheBytes;
        double wanted = settings.DecodeOverCache * machine.All.Caches.LastLevelBytes,
            sequences = Math.Ceiling(wanted / keptBytes);
        double most = Math.Min(MostElements / rowElements,
            ShareOfMemory * device.MemoryBytes / (2 * rowElements * CacheBytes));
        if (sequences * longest > most)
        {
            sequences = Math.Max(1, Math.Floor(most / longest));
            _notes.Add(string.Create(CultureInfo.InvariantCulture,
                $"decoding: {settings.Patterns[^1].Name} keeps {sequences * keptBytes / 1e6:0} MB of all sequences, "
                + $"less than {settings.DecodeOverCache:0} times the last cache: part of it may be read from there"));
        }
        return (int)sequences * longest;
    }

    private void MeasureProducts(BenchMachine machine)
    {
        var preset = TrainingPreset.Find(settings.ProductPreset);
        // There are many, and short ones.
        var rounds = settings.Rounds with { Seconds = settings.Rounds.Seconds / 4 };
        var patience = new DeviceBenchSettings { Rounds = rounds, BatchSeconds = settings.BatchSeconds };
        var bench = new ProductBench(machine.All, preset.Model, settings.ProductRows, patience, machine);
        foreach (var entries in bench.Run(cancellation))
        {
            ShowAll(entries);
            _products.AddRange(entries.Cast<ProductEntry>());
        }
    }

    private void MeasureLayouts(BenchMachine machine)
    {
        foreach (int tokens in settings.LayoutTokens)
        {
            cancellation.ThrowIfCancellationRequested();
            _layouts.Add(LayoutEntry.Measure(machine, tokens));
            ShowAll([_layouts[^1]]);
        }
    }

    private void MeasureModels(BenchMachine machine, ReportPlan plan)
    {
        foreach (int tokens in plan.Training)
            if (HasTime("training step", tokens))
                Run(settings.TrainingPreset, tokens, bench => bench.Train(cancellation));
        foreach (int tokens in plan.Generation)
            if (HasTime("generation", tokens))
                Run(settings.GenerationPreset, tokens, bench => bench.Decode(isVaried: false, cancellation));

        void Run(string preset, int tokens, Func<ModelBench, IReadOnlyList<IDeviceEntry>> measure)
        {
            var size = new ModelSize(TrainingPreset.Find(preset), 1, tokens, Activations: null);
            _notes.AddRange(Refusals.Catch($"{preset}, {tokens} tokens", () =>
            {
                var entries = measure(new ModelBench(machine.All, size, settings.Rounds, machine));
                ShowAll(entries);
                _models.AddRange(entries.Cast<ModelEntry>());
            }));
        }
    }

    // The estimate is too low where something else runs. What comes last, generation, is then left out.
    private bool HasTime(string what, int tokens)
    {
        bool hasTime = Minutes < settings.Minutes;
        if (!hasTime)
            LeaveOut(string.Create(CultureInfo.InvariantCulture,
                $"{what}, {tokens:#,0} tokens: the time was over before it began"));
        return hasTime;
    }

    private void LeaveOut(string line)
    {
        _leftOut.Add(line);
        show($"left out: {line}");
    }

    private void ShowAll(IReadOnlyList<IDeviceEntry> entries)
    {
        foreach (var entry in entries)
            show(entry.Line);
    }
}

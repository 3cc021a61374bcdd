using System.Globalization;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Cli.Simulation.Serving;
using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Cli.Training;
using S2ILGPU.Cpu;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;

namespace S2ILGPU.Cli.Simulation.Calibration;

/// <summary>Measures the costs of a server on this machine, predicts it under other traffic with them, and measures
/// that too: the same scheduler over a model that computes.</summary>
/// <remarks>An instance has one thread, and its clock is what it takes from a processor: while it has nothing to do,
/// the clock goes on to the next text. So other programs on the machine hardly change what is measured.</remarks>
/// <param name="preset">Sizes of the model.</param>
/// <param name="attention">Attention of the layers, beside dense attention.</param>
/// <param name="rounds">Measurements of each kind, whose median counts.</param>
internal sealed class ServingCalibrator(TrainingPreset preset, string attention, int rounds)
{
    private const int Texts = 40, Running = 8, Seed = 1;

    private static readonly (string Name, double OfCapacity)[] s_loads =
        [("half of what it can do", 0.5), ("four fifths", 0.8), ("all at once", double.PositiveInfinity)];

    private readonly SchedulerOptions _options = new() { Sequences = 2 * Running };
    private readonly string[] _kinds = [.. new[] { "dense", attention }.Distinct()];
    private readonly ServingTimes[] _times = [new(), new()];                          // of each kind

    /// <summary>Measures and predicts.</summary>
    /// <param name="progress">Told of rounds.</param>
    /// <param name="cancellation">Ends it between two measurements.</param>
    public ServingReport Run(Action<string> progress, CancellationToken cancellation)
    {
        double[] capacities = [];
        List<ServingFigures>[] measured = [.. Cases().Select(_ => new List<ServingFigures>())];
        for (int round = 0; round <= rounds; round++) // the first round compiles
        {
            progress(string.Create(CultureInfo.InvariantCulture, $"round {round} of {rounds}"));
            for (int kind = 0; kind < _kinds.Length; kind++)
            {
                MeasureOperations(kind, cancellation);
                MeasureSteps(kind, cancellation);
            }
            if (round == 0)
            {
                Array.ForEach(_times, times => times.Forget());
                continue;
            }
            if (round == 1)
                capacities = [.. _kinds.Select((_, kind) => Capacity(kind, Costs(), cancellation))];
            foreach (var (i, (kind, load)) in Cases().Index())
                measured[i].Add(Measure(kind, capacities[kind] * load.OfCapacity, cancellation));
        }
        var costs = Costs();
        return new ServingReport(costs, [.. Cases().Select((c, i) => new ServingPrediction(_kinds[c.Kind], c.Load.Name,
            ServingFigures.Median(measured[i]),
            Predict(c.Kind, capacities[c.Kind] * c.Load.OfCapacity, costs, cancellation)))]);
    }

    private IEnumerable<(int Kind, (string Name, double OfCapacity) Load)> Cases() =>
        Enumerable.Range(0, _kinds.Length).SelectMany(kind => s_loads.Select(load => (kind, load)));

    private TransformerConfig Config(int kind) =>
        (preset.Model with { Attention = preset.Attention(_kinds[kind]) }).Validate();

    private IReadOnlyList<Arrival> Arrivals(double rate, int seed) => new Traffic
    {
        Texts = Texts,
        Rate = rate,
        PromptTokens = preset.Model.ContextTokens / 4,
        OutputTokens = OutputTokens,
        Variation = 0.5,
    }.Draw(seed, preset.Model.VocabularySize, preset.Model.ContextTokens);

    private int OutputTokens => Math.Max(1, preset.Model.ContextTokens / 16);

    // Steps that are taken to last a second each: the same operations in each round.
    private ServingForecast RunEvenly(ServingModel model, CancellationToken cancellation) => ServingSimulation.Run(
        model, _options, 1, Arrivals((double)Running / OutputTokens, Seed), null, Seed, cancellation);

    // A step of many tokens makes the memory that later steps use again.
    private void WarmUp(ServingModel model, CancellationToken cancellation)
    {
        ServingSimulation.Run(model, _options, 1, [.. Arrivals(double.PositiveInfinity, Seed).Take(2)], null, Seed,
            cancellation);
        model.Steps.Clear();
    }

    private void MeasureOperations(int kind, CancellationToken cancellation)
    {
        var calls = new List<TimedCall>();
        long last = 0;
        ServingModel? model = null;
        using var device = OneThread();
        using (model = ServingModel.Measured(new TracedEngine(device, (operation, _) =>
        {
            long now = Environment.CpuUsage.TotalTime.Ticks;
            calls.Add(new TimedCall(operation, model?.Steps.Count ?? 0,
                (now - last) / (double)TimeSpan.TicksPerSecond));
            last = now;
        }), Config(kind), stepSeconds: 1))
        {
            WarmUp(model, cancellation);
            calls.Clear();
            last = Environment.CpuUsage.TotalTime.Ticks;
            RunEvenly(model, cancellation);
            _times[kind].AddTraced(calls, model.Steps);
        }
    }

    private void MeasureSteps(int kind, CancellationToken cancellation)
    {
        using var model = ServingModel.Measured(OneThread(), Config(kind), stepSeconds: 1);
        WarmUp(model, cancellation);
        RunEvenly(model, cancellation);
        _times[kind].AddSteps(model.Steps);
    }

    private MachineCosts Costs()
    {
        var times = _times.Take(_kinds.Length);
        double reading = new Samples([.. times.SelectMany(t => t.ReadingSeconds)]).Median;
        (Operation Operation, double Seconds)[] calls = [.. times.SelectMany(t => t.Calls).Select(call =>
            (call.Operation, Math.Max(0, call.Seconds - reading)))];
        // Other traffic may copy where this one does not: what goes through memory has a cost in common too.
        var fitted = OperationFit.Of([.. calls, .. calls.Where(call => call.Operation.Bytes == 0).Select(call =>
            (call.Operation with { Name = MachineCosts.Others }, call.Seconds))]);
        double factor = times.Sum(t => t.Seconds)
            / calls.Sum(call => fitted[call.Operation.Name].Seconds(call.Operation));
        return new MachineCosts("a server of one thread",
            fitted.ToDictionary(pair => pair.Key, pair => pair.Value.Times(factor)), 0, 0, [],
            [new TransportCost("instances do not exchange", 0, 0, false, new Dictionary<string, ExchangeCost>())]);
    }

    // Texts per second when all are there at once.
    private double Capacity(int kind, MachineCosts costs, CancellationToken cancellation)
    {
        using var model = ServingModel.Counted(costs, Config(kind), activationType: null);
        return Texts / Serve(model, double.PositiveInfinity, cancellation).Seconds;
    }

    private ServingFigures Predict(int kind, double rate, MachineCosts costs, CancellationToken cancellation)
    {
        using var model = ServingModel.Counted(costs, Config(kind), activationType: null);
        return ServingFigures.Of(Serve(model, rate, cancellation));
    }

    private ServingFigures Measure(int kind, double rate, CancellationToken cancellation)
    {
        using var model = ServingModel.Measured(OneThread(), Config(kind));
        WarmUp(model, cancellation);
        return ServingFigures.Of(Serve(model, rate, cancellation));
    }

    // Other texts than those that the costs are from.
    private ServingForecast Serve(ServingModel model, double rate, CancellationToken cancellation) =>
        ServingSimulation.Run(model, _options, 1, Arrivals(rate, Seed + 1), null, Seed, cancellation);

    private static CpuEngine OneThread() => new(new CpuOptions { Threads = 1 });
}

using System.Globalization;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Cli.Simulation.Serving;
using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Cli.Training;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;

namespace S2ILGPU.Cli.Simulation.Calibration;

/// <summary>Measures the costs of a server on this machine, predicts it under other traffic with them, and measures
/// that too: the same scheduler over a model that computes.</summary>
/// <remarks>An instance has one thread, and its clock is what it takes from a processor: while it has nothing to do,
/// the clock goes on to the next text. The speed of that clock changes with what else the machine does, by a fifth from
/// one minute to the next; so the texts that costs are from run before and after every run that is predicted, and say
/// how fast the machine is then.</remarks>
/// <param name="preset">Sizes of the model.</param>
/// <param name="attention">Attention of the layers, beside dense attention.</param>
/// <param name="rounds">Measurements of each kind, whose median counts.</param>
internal sealed class ServingCalibrator(TrainingPreset preset, string attention, int rounds)
{
    private const int Texts = 40, KnownTexts = 30, Running = 8, Seed = 1;

    private static readonly (string Name, double OfCapacity)[] s_loads =
        [("half of what it can do", 0.5), ("four fifths", 0.8), ("all at once", double.PositiveInfinity)];

    private readonly SchedulerOptions _options = new() { Sequences = 2 * Running };
    private readonly string[] _kinds = [.. new[] { "dense", attention }.Distinct()];

    /// <summary>Measures and predicts.</summary>
    /// <param name="progress">Told of rounds.</param>
    /// <param name="cancellation">Ends it between two measurements.</param>
    public ServingReport Run(Action<string> progress, CancellationToken cancellation)
    {
        ServedModel[] models = [.. _kinds.Select((_, kind) => new ServedModel(Config(kind), _options))];
        try
        {
            return Run(models, progress, cancellation);
        }
        finally
        {
            Array.ForEach(models, model => model.Dispose());
        }
    }

    private ServingReport Run(ServedModel[] models, Action<string> progress, CancellationToken cancellation)
    {
        double?[] capacities = new double?[_kinds.Length];
        List<ServingFigures>[] measured = [.. Cases().Select(_ => new List<ServingFigures>())];
        var known = CalibrationTraffic();
        for (int round = 0; round <= rounds; round++) // the first round compiles
        {
            progress(string.Create(CultureInfo.InvariantCulture, $"round {round} of {rounds}"));
            foreach (var (i, (kind, load)) in Cases().Index())
            {
                if (load == s_loads[0])
                    models[kind].TraceEvenly(known, cancellation);
                models[kind].RunEvenly(known, cancellation);
                if (round > 0)
                    capacities[kind] ??= Capacity(kind, Costs(models), cancellation);
                measured[i].Add(ServingFigures.Of(models[kind].Serve(
                    Arrivals((capacities[kind] ?? double.PositiveInfinity) * load.OfCapacity), cancellation)));
                if (load == s_loads[^1])
                    models[kind].RunEvenly(known, cancellation);
            }
            if (round > 0)
                continue;
            Array.ForEach(models, model => model.Times.Forget());
            Array.ForEach(measured, figures => figures.Clear());
        }
        var costs = Costs(models);
        return new ServingReport(costs, [.. Cases().Select((c, i) => new ServingPrediction(_kinds[c.Kind], c.Load.Name,
            ServingFigures.Median(measured[i]), Predict(models[c.Kind].Times, i % s_loads.Length, c.Kind,
                capacities[c.Kind]!.Value * c.Load.OfCapacity, costs, cancellation)))]);
    }

    private IEnumerable<(int Kind, (string Name, double OfCapacity) Load)> Cases() =>
        Enumerable.Range(0, _kinds.Length).SelectMany(kind => s_loads.Select(load => (kind, load)));

    private TransformerConfig Config(int kind) =>
        (preset.Model with { Attention = preset.Attention(_kinds[kind]) }).Validate();

    private int OutputTokens => Math.Max(1, preset.Model.ContextTokens / 16);

    private Traffic OfRate(double rate) => new()
    {
        Texts = Texts,
        Rate = rate,
        PromptTokens = preset.Model.ContextTokens / 4,
        OutputTokens = OutputTokens,
        Variation = 0.5,
    };

    private IReadOnlyList<Arrival> Draw(double rate, int seed) =>
        OfRate(rate).Draw(seed, preset.Model.VocabularySize, preset.Model.ContextTokens);

    // One text at a time, then 8 side by side on average, then all at once. A step is taken to last 1 s, so a text
    // takes as many seconds as it has tokens.
    private IReadOnlyList<Arrival> CalibrationTraffic() =>
        RisingTraffic.Of([.. Draw(1, Seed).Take(KnownTexts)],
            [1.0 / OutputTokens, (double)Running / OutputTokens, double.PositiveInfinity]);

    // Not the texts that the costs are from.
    private IReadOnlyList<Arrival> Arrivals(double rate) => Draw(rate, Seed + 1);

    private static MachineCosts Costs(IEnumerable<ServedModel> models)
    {
        ServingTimes[] times = [.. models.Select(model => model.Times).Where(times => times.IsMeasured)];
        (Operation Operation, double Seconds)[] calls = [.. times.SelectMany(t => t.Calls)];
        // Other traffic may have operations that this one does not have, such as copies: they get one cost, fitted to
        // all that are neither products nor attention.
        var costs = new MachineCosts("a server of one thread", OperationFit.Of([.. calls,
            .. calls.Where(call => call.Operation.Bytes == 0).Select(call =>
                (call.Operation with { Name = MachineCosts.Others }, call.Seconds))]), 0, 0, [],
            [new TransportCost("instances do not exchange", 0, 0, false, new Dictionary<string, ExchangeCost>())]);
        return costs.WithOperationsTimes(new Samples([.. times.SelectMany(t => Slowness(t, costs))]).Median);
    }

    // How many times as long each round of steps alone took as the costs say.
    private static IReadOnlyList<double> Slowness(ServingTimes times, MachineCosts costs)
    {
        double predicted = times.Calls.Sum(call => costs.Seconds(call.Operation));
        return [.. times.Rounds.Select(seconds => seconds / predicted)];
    }

    // Texts per second when all are there at once.
    private double Capacity(int kind, MachineCosts costs, CancellationToken cancellation)
    {
        using var model = ServingModel.Counted(costs, Config(kind), activationType: null);
        return Texts / Serve(model, double.PositiveInfinity, cancellation).Seconds;
    }

    // Each round with the speed of the machine just before and after the measured run.
    private ServingFigures Predict(ServingTimes times, int load, int kind, double rate, MachineCosts costs,
        CancellationToken cancellation)
    {
        var slowness = Slowness(times, costs);
        return ServingFigures.Median([.. Enumerable.Range(0, rounds).Select(round =>
        {
            int before = round * (s_loads.Length + 1) + load;
            var now = costs.WithOperationsTimes((slowness[before] + slowness[before + 1]) / 2);
            using var model = ServingModel.Counted(now, Config(kind), activationType: null);
            return ServingFigures.Of(Serve(model, rate, cancellation));
        })]);
    }

    private ServingForecast Serve(ServingModel model, double rate, CancellationToken cancellation) =>
        ServingSimulation.Run(model, _options, 1, Arrivals(rate), null, Seed, cancellation);
}

using System.Globalization;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Cli.Training;

namespace S2ILGPU.Cli.Simulation.Calibration;

/// <summary>Measures the costs of this machine on ranks that do not exchange and on bare exchanges, predicts runs of
/// several ranks with them, and measures those too.</summary>
/// <remarks>Everything is measured in turn, round by round, and the median of the rounds counts. Costs are times of
/// processors. Right before a run that is predicted its ranks train side by side without exchanging, which says how
/// fast the machine is then and how ranks of that size slow each other down; how they exchange and wait for each other
/// is what the simulation adds. Each rank has one thread.</remarks>
/// <param name="preset">Sizes of model and micro-batch.</param>
/// <param name="attention">Attention of the layers.</param>
/// <param name="mostRanks">The most ranks of a predicted run, from 2.</param>
/// <param name="rounds">Measurements of each kind.</param>
internal sealed class Calibrator(TrainingPreset preset, string attention, int mostRanks, int rounds)
{
    private static readonly int[] s_elements = [1 << 10, 1 << 15, 1 << 19];

    private readonly Dictionary<TrainingShape, List<Operation>> _calls = [];   // of a step of rank 0
    private readonly Dictionary<Operation, List<double>> _seconds = [];
    private readonly List<RankTime>[] _sideBySide =
        [.. Enumerable.Range(0, mostRanks).Select(_ => new List<RankTime>())];
    private readonly Dictionary<(int Ranks, CollectiveKind Kind, double Bytes), List<double>> _exchanges = [];

    /// <summary>Measures and predicts.</summary>
    /// <param name="progress">Told of rounds.</param>
    /// <param name="cancellation">Ends it between two measurements.</param>
    public CalibrationReport Run(Action<string> progress, CancellationToken cancellation)
    {
        TrainingShape alone = Shape(new RankGrid(1, 1, 1));
        TrainingShape[] runs = [.. Grids().Select(Shape)];
        List<RankTime>[] beside = [.. runs.Select(_ => new List<RankTime>())],
            times = [.. runs.Select(_ => new List<RankTime>())];
        for (int round = 0; round <= rounds; round++) // the first round compiles
        {
            progress(string.Create(CultureInfo.InvariantCulture, $"round {round} of {rounds}"));
            foreach (var measure in Measurements(alone, runs))
            {
                cancellation.ThrowIfCancellationRequested();
                measure();
            }
            for (int i = 0; i < runs.Length; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                beside[i].Add(RankTimes.SideBySide(runs[i], runs[i].Grid.Ranks));
                times[i].Add(RankTimes.Step(runs[i]));
            }
            if (round == 0)
                Forget([.. beside, .. times]);
        }
        double[] contention = Contention();
        // As the ranks that were measured side by side have it in their times.
        var contended = Costs(alone, [], kind => Exchanges(kind, _ => 1));
        var time = RankTime.Median(_sideBySide[0]);
        return new CalibrationReport(Costs(alone, contention, kind => Exchanges(kind, ranks => contention[ranks - 1])),
            [.. runs.Select((run, i) => new Prediction(run.Grid, RankTime.Median(times[i]),
                Predict(contended, run, beside[i], cancellation)))], time.ProcessorSeconds / time.Seconds);
    }

    private static RankTime Predict(MachineCosts costs, TrainingShape run, IEnumerable<RankTime> beside,
        CancellationToken cancellation)
    {
        var prediction = new StepPrediction(costs, run.Grid, RankTrace.OfGroup(run, cancellation),
            [.. Enumerable.Range(0, run.Grid.Together).Select(rank => RankTrace.WithoutOthers(run, rank))]);
        return RankTime.Median([.. beside.Select(prediction.Of)]);
    }

    private TrainingShape Shape(RankGrid grid) => TrainingShape.Of(preset, attention, grid, microBatches: 1);

    private IEnumerable<Action> Measurements(TrainingShape alone, TrainingShape[] runs)
    {
        foreach (var shape in (TrainingShape[])[alone, .. runs.Where(run => run.Grid.Ranks == 2)])
            yield return () => MeasureOperations(shape);
        for (int r = 1; r <= mostRanks; r++)
        {
            int ranks = r;
            yield return () => _sideBySide[ranks - 1].Add(RankTimes.SideBySide(alone, ranks));
        }
        for (int ranks = 2; ranks <= mostRanks; ranks *= 2)
            foreach (var kind in Enum.GetValues<CollectiveKind>())
                foreach (int elements in s_elements)
                {
                    int together = ranks;
                    yield return () => MeasureExchange(kind, elements, together);
                }
    }

    private void MeasureOperations(TrainingShape shape)
    {
        var calls = RankTimes.Operations(shape);
        _calls[shape] = [.. calls.Select(call => call.Operation)];
        foreach (var (operation, seconds) in calls)
            Of(_seconds, operation).Add(seconds);
    }

    private void MeasureExchange(CollectiveKind kind, int elements, int ranks)
    {
        var (bytes, time) = RankTimes.Exchange(kind, elements, ranks);
        Of(_exchanges, (ranks, kind, bytes)).Add(time.ProcessorSeconds / ranks);
    }

    private void Forget(IEnumerable<List<RankTime>> times)
    {
        foreach (var list in times.Concat(_sideBySide))
            list.Clear();
        _seconds.Clear();
        _exchanges.Clear();
    }

    private static List<double> Of<TKey>(Dictionary<TKey, List<double>> lists, TKey key) where TKey : notnull =>
        lists.TryGetValue(key, out var list) ? list : lists[key] = [];

    private static double Median(List<double> values) => new Samples([.. values]).Median;

    private double[] Contention()
    {
        double[] each = [.. _sideBySide.Select((times, i) => RankTime.Median(times).ProcessorSeconds / (i + 1))];
        return [.. each.Select(seconds => seconds / each[0])];
    }

    private MachineCosts Costs(TrainingShape alone, double[] contention, Func<CollectiveKind, ExchangeCost> exchange)
    {
        var fitted = OperationFit.Of(_calls.Values.SelectMany(calls => calls)
            .Select(operation => (operation, Median(_seconds[operation]))));
        // A step that is not traced takes a little less: reading the clock takes time, most of all beside small calls.
        double factor = RankTime.Median(_sideBySide[0]).ProcessorSeconds
            / _calls[alone].Sum(operation => fitted[operation.Name].Seconds(operation));
        return new MachineCosts($"{Environment.ProcessorCount} processors, ranks of one thread", fitted, 0,
            Environment.ProcessorCount, contention, [new TransportCost("threads of one process", 0, 0, false,
                Enum.GetValues<CollectiveKind>().ToDictionary(kind => kind.ToString(), exchange))])
            .WithOperationsTimes(factor);
    }

    // An exchange was measured while ranks slow each other down; the simulation slows it down by that.
    private ExchangeCost Exchanges(CollectiveKind kind, Func<int, double> contention)
    {
        double[] fitted = LeastSquares.Solve([.. _exchanges.Where(sample => sample.Key.Kind == kind).Select(sample =>
        {
            var (ranks, _, bytes) = sample.Key;
            double seconds = Median(sample.Value) / contention(ranks);
            double[] features = [TransportCost.Messages(kind, ranks, isTree: false), bytes];
            return (features, seconds, 1 / (seconds * seconds));
        })]);
        return new ExchangeCost(fitted[0], fitted[1]);
    }

    private IEnumerable<RankGrid> Grids()
    {
        for (int ranks = 2; ranks <= mostRanks; ranks *= 2)
            foreach (var grid in Kinds(ranks))
                yield return grid;
        if (mostRanks >= 4 && Divides(2))
            yield return new RankGrid(4, Tensor: 2, Context: 2);
    }

    // Data, context and tensor parallel alone, the last one where the model can be cut so.
    private IEnumerable<RankGrid> Kinds(int ranks)
    {
        yield return new RankGrid(ranks, Tensor: 1, Context: 1);
        yield return new RankGrid(ranks, Tensor: 1, Context: ranks);
        if (Divides(ranks))
            yield return new RankGrid(ranks, Tensor: ranks, Context: 1);
    }

    private bool Divides(int ranks) =>
        preset.Model.KeyValueHeads % ranks == 0 && preset.Model.FeedForwardDim % ranks == 0;
}

using System.Globalization;
using S2ILGPU.Cli.Bench;
using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Cli.Training;

namespace S2ILGPU.Cli.Simulation.Calibration;

/// <summary>Measures the costs of this machine on single ranks and on bare exchanges, predicts runs of several ranks
/// with them, and measures those too.</summary>
/// <remarks>Everything is measured in turn, round by round, and the median of the rounds counts. Costs are times of
/// processors, which other programs on the machine hardly change; how ranks share processors and wait for each other
/// is what the simulation adds. Each rank has one thread.</remarks>
/// <param name="preset">Sizes of model and micro-batch.</param>
/// <param name="attention">Attention of the layers.</param>
/// <param name="mostRanks">The most ranks of a predicted run, from 2.</param>
/// <param name="rounds">Measurements of each kind.</param>
internal sealed class Calibrator(TrainingPreset preset, string attention, int mostRanks, int rounds)
{
    private static readonly int[] s_elements = [1 << 10, 1 << 15, 1 << 19];

    private readonly List<Operation>[] _calls = [[], [], [], []]; // of a step of each kind of rank
    private readonly Dictionary<Operation, List<double>> _seconds = [];
    private readonly List<RankTime>[] _sideBySide =
        [.. Enumerable.Range(0, mostRanks).Select(_ => new List<RankTime>())];
    private readonly Dictionary<(int Ranks, CollectiveKind Kind, double Bytes), List<double>> _exchanges = [];

    /// <summary>Measures and predicts.</summary>
    /// <param name="progress">Told of rounds.</param>
    /// <param name="cancellation">Ends it between two measurements.</param>
    public CalibrationReport Run(Action<string> progress, CancellationToken cancellation)
    {
        TrainingShape[] runs = [.. Grids().Select(Shape)];
        List<RankTime>[] times = [.. runs.Select(_ => new List<RankTime>())];
        for (int round = 0; round <= rounds; round++) // the first round compiles
        {
            progress(string.Create(CultureInfo.InvariantCulture, $"round {round} of {rounds}"));
            foreach (var measure in Measurements())
            {
                cancellation.ThrowIfCancellationRequested();
                measure();
            }
            for (int i = 0; i < runs.Length; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                times[i].Add(RankTimes.Step(runs[i]));
            }
            if (round == 0)
                Forget(times);
        }
        var (costs, alone) = (Costs(), RankTime.Median(_sideBySide[0]));
        return new CalibrationReport(costs, [.. runs.Select((run, i) => new Prediction(run.Grid,
            RankTime.Median(times[i]), StepSimulation.Run(costs, run.Grid, RankTrace.OfGroup(run, cancellation))))],
            alone.ProcessorSeconds / alone.Seconds);
    }

    private TrainingShape Alone => Shape(new RankGrid(1, 1, 1));

    private TrainingShape Shape(RankGrid grid) => TrainingShape.Of(preset, attention, grid, microBatches: 1);

    private IEnumerable<Action> Measurements()
    {
        TrainingShape[] shapes = [Alone, .. Kinds(2).Select(Shape)];
        for (int s = 0; s < shapes.Length; s++)
        {
            int shape = s;
            yield return () => MeasureOperations(shapes[shape], shape);
        }
        for (int r = 1; r <= mostRanks; r++)
        {
            int ranks = r;
            yield return () => _sideBySide[ranks - 1].Add(RankTimes.SideBySide(Alone, ranks));
        }
        for (int ranks = 2; ranks <= mostRanks; ranks *= 2)
            foreach (var kind in Enum.GetValues<CollectiveKind>())
                foreach (int elements in s_elements)
                {
                    int together = ranks;
                    yield return () => MeasureExchange(kind, elements, together);
                }
    }

    private void MeasureOperations(TrainingShape shape, int index)
    {
        var calls = RankTimes.Operations(shape);
        _calls[index] = [.. calls.Select(call => call.Operation)];
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

    private MachineCosts Costs()
    {
        double[] sideBySide = [.. _sideBySide.Select((times, i) => RankTime.Median(times).ProcessorSeconds / (i + 1))];
        double alone = sideBySide[0];
        var fitted = OperationFit.Of(_calls.SelectMany(calls => calls)
            .Select(operation => (operation, Median(_seconds[operation]))));
        // A step that is not traced takes a little less: reading the clock takes time, most of all beside small calls.
        double factor = alone / _calls[0].Sum(operation => fitted[operation.Name].Seconds(operation));
        return new MachineCosts($"{Environment.ProcessorCount} processors, ranks of one thread",
            fitted.ToDictionary(pair => pair.Key, pair => pair.Value.Times(factor)), 0, Environment.ProcessorCount,
            [.. sideBySide.Select(seconds => seconds / alone)],
            [new TransportCost("threads of one process", 0, 0, false, Exchanges())]);
    }

    private Dictionary<string, ExchangeCost> Exchanges() => _exchanges
        .GroupBy(sample => sample.Key.Kind).ToDictionary(kind => kind.Key.ToString(), kind =>
        {
            double[] fitted = LeastSquares.Solve([.. kind.Select(sample =>
            {
                var (ranks, _, bytes) = sample.Key;
                double seconds = Median(sample.Value);
                double[] features = [TransportCost.Messages(kind.Key, ranks, isTree: false), bytes];
                return (features, seconds, 1 / (seconds * seconds));
            })]);
            return new ExchangeCost(fitted[0], fitted[1]);
        });

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

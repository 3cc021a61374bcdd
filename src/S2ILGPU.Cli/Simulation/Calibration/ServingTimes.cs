using S2ILGPU.Cli.Bench;
using S2ILGPU.Cli.Simulation.Tracing;

namespace S2ILGPU.Cli.Simulation.Calibration;

/// <summary>An operation of a step.</summary>
/// <param name="Operation">The operation.</param>
/// <param name="Step">Number of the step.</param>
/// <param name="Seconds">Seconds since the operation before it ended: with what the program did between them, and with
/// reading the clock. The last operation of a step has the rest of the step too.</param>
internal readonly record struct TimedCall(Operation Operation, int Step, double Seconds);

/// <summary>Times of a run that is repeated with the same operations: rounds with the time of each operation and traced
/// step, and rounds with the times of steps alone.</summary>
internal sealed class ServingTimes
{
    private readonly List<IReadOnlyList<double>> _calls = [], _traced = [], _steps = [];   // of each round
    private IReadOnlyList<TimedCall> _last = [];

    /// <summary>Whether there are rounds of both kinds.</summary>
    public bool IsMeasured => _traced.Count > 0 && _steps.Count > 0;

    /// <summary>The operations, each with the median of its rounds without what reading the clock takes.</summary>
    public IEnumerable<(Operation Operation, double Seconds)> Calls
    {
        get
        {
            double reading = ReadingSeconds;
            return _last.Zip(Medians(_calls), (call, median) => (call.Operation, median - reading));
        }
    }

    /// <summary>Seconds that all steps took in each round of steps alone.</summary>
    public IReadOnlyList<double> Rounds => [.. _steps.Select(steps => steps.Sum())];

    /// <summary>What reading the clock adds to an operation: the c with the best
    /// <c>steps alone = f (traced steps - c calls)</c>, where f is by how much the machine was slower.</summary>
    /// <remarks>A step has about as many operations whether it lasts for 0.2 ms or 10 ms, so long steps give f and
    /// short ones c.</remarks>
    public double ReadingSeconds
    {
        get
        {
            var calls = _last.CountBy(call => call.Step).ToDictionary();
            double[] fitted = LeastSquares.Solve([.. Medians(_traced).Zip(Medians(_steps)).Select((step, i) =>
            {
                double[] features = [step.First, -calls.GetValueOrDefault(i)];
                return (features, step.Second, 1 / Math.Max(step.First, double.Epsilon));
            })]);
            return fitted[0] > 0 ? fitted[1] / fitted[0] : 0;
        }
    }

    /// <summary>Adds a round that was traced.</summary>
    public void AddTraced(IReadOnlyList<TimedCall> calls, IReadOnlyList<double> steps)
    {
        _last = [.. calls];
        _calls.Add([.. calls.Select(call => call.Seconds)]);
        _traced.Add([.. steps]);
    }

    /// <summary>Adds a round of steps alone.</summary>
    public void AddSteps(IReadOnlyList<double> steps) => _steps.Add([.. steps]);

    /// <summary>Forgets all rounds.</summary>
    public void Forget()
    {
        _calls.Clear();
        _traced.Clear();
        _steps.Clear();
    }

    private static IEnumerable<double> Medians(List<IReadOnlyList<double>> rounds) =>
        Enumerable.Range(0, rounds[0].Count).Select(i => new Samples([.. rounds.Select(round => round[i])]).Median);
}

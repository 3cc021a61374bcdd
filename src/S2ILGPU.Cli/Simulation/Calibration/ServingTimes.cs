using S2ILGPU.Cli.Bench;
using S2ILGPU.Cli.Simulation.Tracing;

namespace S2ILGPU.Cli.Simulation.Calibration;

/// <summary>An operation of a step.</summary>
/// <param name="Operation">The operation.</param>
/// <param name="Step">Number of the step.</param>
/// <param name="Seconds">Its seconds, with those of the program before it and of reading the clock.</param>
internal readonly record struct TimedCall(Operation Operation, int Step, double Seconds);

/// <summary>Times of a run that goes the same way each time: medians over rounds of its operations, of its steps while
/// these are traced, and of its steps alone.</summary>
internal sealed class ServingTimes
{
    private readonly List<IReadOnlyList<double>> _calls = [], _traced = [], _steps = [];   // of each round
    private IReadOnlyList<TimedCall> _last = [];

    /// <summary>The operations.</summary>
    public IEnumerable<TimedCall> Calls => _last.Zip(Medians(_calls), (call, median) => call with { Seconds = median });

    /// <summary>Seconds of the steps alone.</summary>
    public double Seconds => Medians(_steps).Sum();

    /// <summary>What reading the clock adds to an operation, by each step.</summary>
    public IEnumerable<double> ReadingSeconds
    {
        get
        {
            var calls = _last.CountBy(call => call.Step).ToDictionary();
            return Medians(_traced).Zip(Medians(_steps), (traced, alone) => traced - alone)
                .Select((seconds, step) => seconds / calls[step]);
        }
    }

    /// <summary>Adds a round that was traced.</summary>
    public void AddTraced(IReadOnlyList<TimedCall> calls, IReadOnlyList<double> steps)
    {
        _last = calls;
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

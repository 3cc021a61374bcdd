using S2ILGPU.Cli.Simulation.Tracing;

namespace S2ILGPU.Cli.Simulation;

/// <summary>A rank in a simulation: where it is in its step, and what it does now.</summary>
internal sealed class RankPlayer
{
    private readonly List<RankStep> _steps = [];
    private readonly Dictionary<string, double> _parts = [];
    private readonly Dictionary<TransportCost, double> _freeAt = [];
    private int _next;
    private double _workStart, _computed; // on the clock
    private bool _isOwn;

    /// <summary>Puts costs on a rank's instructions; neighbouring operations become one piece of work.</summary>
    public RankPlayer(int rank, IEnumerable<RankInstruction> instructions, MachineCosts costs)
    {
        Rank = rank;
        double seconds = 0;
        foreach (var instruction in instructions)
        {
            if (instruction is Compute { Operation: var operation })
            {
                double own = costs.Seconds(operation);
                Note(StepForecast.PartOf(operation.Name), own);
                Note(StepForecast.Host, costs.HostSeconds);
                seconds += own + costs.HostSeconds;
                continue;
            }
            if (seconds > 0)
                _steps.Add(new RankStep(seconds, null, null));
            seconds = 0;
            _steps.Add(new RankStep(0, instruction as Begin, instruction as Await));
        }
        if (seconds > 0)
            _steps.Add(new RankStep(seconds, null, null));
    }

    /// <summary>Number of the rank.</summary>
    public int Rank { get; }

    /// <summary>What comes next; null at the end.</summary>
    public RankStep? Next => _next < _steps.Count ? _steps[_next] : null;

    /// <summary>The exchange that the rank waits for.</summary>
    public Meeting? AwaitedMeeting { get; set; }

    /// <summary>Number of the schedule that counts; earlier ones are void.</summary>
    public int Version { get; set; }

    /// <summary>Whether the rank takes a processor.</summary>
    public bool IsComputing { get; private set; }

    /// <summary>Seconds of work that are left, at full speed.</summary>
    public double Left { get; private set; }

    /// <summary>Bytes sent so far.</summary>
    public double SentBytes { get; set; }

    /// <summary>When the rank was done.</summary>
    public double End { get; private set; }

    /// <summary>Whether it is done.</summary>
    public bool IsDone { get; private set; }

    /// <summary>Goes on to the next instruction.</summary>
    public void Take() => _next++;

    /// <summary>Begins to compute.</summary>
    /// <param name="now">The clock.</param>
    /// <param name="seconds">At full speed.</param>
    /// <param name="isOwn">Whether it is an operation, and not a part of an exchange.</param>
    public void StartWork(double now, double seconds, bool isOwn) =>
        (IsComputing, Left, _workStart, _isOwn) = (true, seconds, now, isOwn);

    /// <summary>Does a part of the work.</summary>
    public void Work(double seconds) => Left = IsComputing ? Math.Max(0, Left - seconds) : 0;

    /// <summary>Ends the work.</summary>
    public void EndWork(double now)
    {
        (IsComputing, Left) = (false, 0);
        if (_isOwn)
            _computed += now - _workStart;
    }

    /// <summary>Puts an exchange on the rank's way, behind those that are on it.</summary>
    /// <returns>When it has gone through.</returns>
    public double OnTheWay(TransportCost transport, double now, double seconds) =>
        _freeAt[transport] = Math.Max(now, _freeAt.GetValueOrDefault(transport)) + seconds;

    /// <summary>Ends the step.</summary>
    public void Finish(double now) => (IsDone, End) = (true, now);

    /// <summary>The step as this rank saw it.</summary>
    /// <param name="sentBytes">Bytes that each rank has sent.</param>
    /// <param name="processorSeconds">Seconds in which ranks computed.</param>
    public StepForecast Forecast(IReadOnlyList<double> sentBytes, double processorSeconds)
    {
        double own = _parts.Values.Sum(), slower = own > 0 ? _computed / own : 1;
        return new StepForecast(End, [.. _parts.Select(part => (part.Key, part.Value * slower))
            .Append((StepForecast.Exchanges, End - _computed))], sentBytes, processorSeconds);
    }

    private void Note(string part, double seconds) => _parts[part] = _parts.GetValueOrDefault(part) + seconds;
}

/// <summary>Work, the beginning of an exchange, or a wait.</summary>
internal sealed record RankStep(double Seconds, Begin? Begins, Await? Awaits);

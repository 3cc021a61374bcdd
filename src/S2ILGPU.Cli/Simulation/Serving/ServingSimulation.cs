using S2ILGPU.Scheduling;

namespace S2ILGPU.Cli.Simulation.Serving;

/// <summary>Plays servers under traffic: discrete events, a clock, and the schedulers themselves. What runs in a step,
/// which pages it takes and who gives way is theirs; only the seconds of a step come from the model.</summary>
/// <remarks>A text that arrives is in the next step that its instance begins. An instance that fails loses its step,
/// its pages and its prefixes; its texts go on elsewhere once this is noticed, behind the tokens that they have.
/// Everything is determined by the inputs where the seconds of the steps are.</remarks>
internal sealed class ServingSimulation
{
    private readonly ServingInstance[] _instances;
    private readonly ServedText[] _texts;
    private readonly InstanceFailures? _failures;
    private readonly Random _random;
    private readonly PriorityQueue<ServingEvent, (double Time, long Order)> _events = new();
    private readonly List<ServedText> _waiting = [];                                  // for an instance that works
    private double _now, _pageSeconds;
    private long _order, _pages, _mostPages, _mostBytes;
    private int _open, _failed, _moved;

    private ServingSimulation(ServingModel model, SchedulerOptions options, int instances,
        IReadOnlyList<Arrival> arrivals, InstanceFailures? failures, int seed)
    {
        _instances = [.. Enumerable.Range(0, instances).Select(_ => new ServingInstance(model, options))];
        _texts = [.. arrivals.Select(arrival => new ServedText(arrival))];
        (_failures, _random, _open) = (failures, new Random(seed), _texts.Length);
    }

    /// <summary>Serves texts until all have ended.</summary>
    /// <param name="model">The model of all instances.</param>
    /// <param name="options">Limits of each instance.</param>
    /// <param name="instances">Number of instances.</param>
    /// <param name="arrivals">The texts, by time.</param>
    /// <param name="failures">What fails; null for nothing.</param>
    /// <param name="seed">Seed of the failures.</param>
    /// <param name="cancellation">Ends it between two events.</param>
    /// <exception cref="ArgumentException">A text needs more pages than an instance has.</exception>
    public static ServingForecast Run(ServingModel model, SchedulerOptions options, int instances,
        IReadOnlyList<Arrival> arrivals, InstanceFailures? failures, int seed, CancellationToken cancellation)
    {
        var simulation = new ServingSimulation(model, options with { MaxQueued = int.MaxValue }, instances, arrivals,
            failures, seed);
        try
        {
            return simulation.Run(cancellation);
        }
        finally
        {
            foreach (var instance in simulation._instances)
                instance.Dispose();
        }
    }

    private ServingForecast Run(CancellationToken cancellation)
    {
        foreach (var text in _texts)
            Schedule(new ServingEvent(ServingEventKind.Place, Text: text), text.Arrival.Time);
        for (int i = 0; i < _instances.Length; i++)
            ScheduleFailure(i);
        while (_open > 0)
        {
            cancellation.ThrowIfCancellationRequested();
            if (!_events.TryDequeue(out var next, out var at))
                throw new InvalidOperationException($"{_open} texts have not ended, and nothing happens any more");
            _pageSeconds += _pages * (at.Time - _now);
            _now = at.Time;
            Handle(next);
        }
        var work = _instances.Select(instance => instance.Work).ToArray();
        return new ServingForecast(_texts, _now, _instances.Length)
        {
            BusySeconds = _instances.Sum(instance => instance.BusySeconds),
            MeanPages = _now == 0 ? 0 : _pageSeconds / _now,
            MostPages = _mostPages,
            MostBytes = _mostBytes,
            LostPages = _instances.Sum(instance => instance.CountLostPages()),
            Steps = work.Sum(w => w.Steps),
            ComputedTokens = work.Sum(w => w.ComputedTokens),
            PrefixTokens = work.Sum(w => w.PrefixTokens),
            Preemptions = work.Sum(w => w.Preemptions),
            Failures = _failed,
            MovedTexts = _moved,
        };
    }

    private void Handle(ServingEvent next)
    {
        switch (next.Kind)
        {
            case ServingEventKind.Place:
                Place(next.Text!);
                break;
            case ServingEventKind.StepBegin when next.Version == _instances[next.Instance].Version:
                BeginStep(next.Instance);
                break;
            case ServingEventKind.StepEnd when next.Version == _instances[next.Instance].Version:
                EndStep(next.Instance);
                break;
            case ServingEventKind.Failure:
                Fail(next.Instance);
                break;
            case ServingEventKind.Restart:
                Restart(next.Instance);
                break;
            default:
                break; // a step of an instance that has failed meanwhile
        }
    }

    // As a cluster places a request, among the instances that work.
    private void Place(ServedText text)
    {
        ulong[] prefix = _instances[0].PrefixHashes(text.Arrival.Prompt);
        int best = PlacementState.Order(Enumerable.Range(0, _instances.Length).Where(i => _instances[i].IsUp),
            i => _instances[i].Placement(prefix)).FirstOrDefault(-1);
        if (best < 0)
        {
            _waiting.Add(text);
            return;
        }
        _instances[best].Submit(text);
        if (!_instances[best].IsBusy)
            ScheduleStep(best);
    }

    private void BeginStep(int index)
    {
        var instance = _instances[index];
        double seconds = instance.Step();
        CountPages();
        Schedule(new ServingEvent(ServingEventKind.StepEnd, index, instance.Version), _now + seconds);
    }

    private void EndStep(int index)
    {
        var instance = _instances[index];
        _open -= instance.Deliver(_now);
        if (instance.Texts > 0)
            ScheduleStep(index);
    }

    private void Fail(int index)
    {
        _failed++;
        foreach (var text in _instances[index].Fail())
        {
            _moved++;
            Schedule(new ServingEvent(ServingEventKind.Place, Text: text), _now + _failures!.DetectionSeconds);
        }
        CountPages();
        Schedule(new ServingEvent(ServingEventKind.Restart, index), _now + _failures!.RestartSeconds);
    }

    private void Restart(int index)
    {
        _instances[index].Restart();
        ScheduleFailure(index);
        ServedText[] waiting = [.. _waiting];
        _waiting.Clear();
        foreach (var text in waiting)
            Place(text);
    }

    // Pages that a step takes count from its begin, those that it frees are gone then.
    private void CountPages()
    {
        _pages = 0;
        foreach (var instance in _instances)
        {
            _pages += instance.Counters.UsedPages;
            _mostBytes = Math.Max(_mostBytes, instance.Counters.UsedBytes);
        }
        _mostPages = Math.Max(_mostPages, _pages);
    }

    // Texts that arrive at the same time come into the step, as they are scheduled before it.
    private void ScheduleStep(int index)
    {
        _instances[index].IsBusy = true;
        Schedule(new ServingEvent(ServingEventKind.StepBegin, index, _instances[index].Version), _now);
    }

    private void ScheduleFailure(int index)
    {
        if (_failures is not null)
            Schedule(new ServingEvent(ServingEventKind.Failure, index),
                _now - Math.Log(1 - _random.NextDouble()) * _failures.MeanSecondsBetween);
    }

    private void Schedule(in ServingEvent next, double time) => _events.Enqueue(next, (time, _order++));
}

/// <summary>Failures of instances.</summary>
/// <param name="MeanSecondsBetween">Mean time from a start to a failure of an instance, exponentially
/// distributed.</param>
/// <param name="RestartSeconds">From a failure until the instance takes requests again.</param>
/// <param name="DetectionSeconds">From a failure until its texts go on elsewhere.</param>
internal sealed record InstanceFailures(double MeanSecondsBetween, double RestartSeconds, double DetectionSeconds);

/// <summary>What happens.</summary>
internal enum ServingEventKind
{
    Place,
    StepBegin,
    StepEnd,
    Failure,
    Restart,
}

/// <summary>Something that happens to an instance or a text.</summary>
internal readonly record struct ServingEvent(ServingEventKind Kind, int Instance = 0, int Version = 0,
    ServedText? Text = null);

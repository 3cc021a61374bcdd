using S2ILGPU.Inference;
using S2ILGPU.Scheduling;

namespace S2ILGPU.Cli.Simulation.Serving;

/// <summary>A server in a simulation: the scheduler itself, and the step that is under way.</summary>
internal sealed class ServingInstance(ServingModel model, SchedulerOptions options) : IDisposable
{
    private readonly List<(ServedText Text, int Token)> _tokens = [];                // of the step under way
    private readonly List<ServedText> _texts = [];
    private Scheduler _scheduler = new(model.Model, options);
    private SchedulerCounters _before;                                            // of schedulers that were lost
    private double _stepSeconds;

    /// <summary>Whether it works.</summary>
    public bool IsUp { get; private set; } = true;

    /// <summary>Whether a step is under way, or about to begin.</summary>
    public bool IsBusy { get; set; }

    /// <summary>Counts its failures: what was scheduled for one version does not happen in another.</summary>
    public int Version { get; private set; }

    /// <summary>Seconds in which it computed.</summary>
    public double BusySeconds { get; private set; }

    /// <summary>Texts that it works on.</summary>
    public int Texts => _texts.Count;

    /// <summary>What its scheduler holds.</summary>
    public SchedulerCounters Counters => _scheduler.Counters;

    /// <summary>What it did, over all failures: the counters that only grow.</summary>
    public SchedulerCounters Work
    {
        get
        {
            var now = _scheduler.Counters;
            return new SchedulerCounters
            {
                Preemptions = _before.Preemptions + now.Preemptions,
                Steps = _before.Steps + now.Steps,
                ComputedTokens = _before.ComputedTokens + now.ComputedTokens,
                PrefixTokens = _before.PrefixTokens + now.PrefixTokens,
            };
        }
    }

    /// <inheritdoc cref="Scheduler.PrefixHashes"/>
    public ulong[] PrefixHashes(int[] prompt) => _scheduler.PrefixHashes(prompt);

    /// <summary>What placement asks of it.</summary>
    /// <param name="prefixHashes">The prompt, as <see cref="PrefixHashes"/> gives it.</param>
    public PlacementState Placement(ulong[] prefixHashes) => new(IsUp, options.Sequences, Counters, Texts,
        _scheduler.KeptPrefixTokens(prefixHashes), IsSelf: false);

    /// <summary>Takes a text, or what is left of it.</summary>
    public void Submit(ServedText text)
    {
        _texts.Add(text);
        _scheduler.Submit(new GenerationRequest
        {
            Prompt = text.Arrival.Prompt,
            Generated = [.. text.Generated],
            MaxTokens = text.Arrival.Tokens,
            Sampling = new SamplingOptions { Temperature = 0 },
            OnToken = token => _tokens.Add((text, token.Token!.Value)),
        });
    }

    /// <summary>Runs a step, whose tokens <see cref="Deliver"/> hands out.</summary>
    /// <returns>Seconds of the step.</returns>
    public double Step() => _stepSeconds = model.Time(() => _scheduler.Step());

    /// <summary>Ends the step and hands out its tokens.</summary>
    /// <param name="time">When it ended.</param>
    /// <returns>How many texts ended with it.</returns>
    public int Deliver(double time)
    {
        int ended = 0;
        foreach (var (text, token) in _tokens)
        {
            text.Add(token, time);
            if (text.IsWhole && _texts.Remove(text))
                ended++;
        }
        _tokens.Clear();
        BusySeconds += _stepSeconds;
        IsBusy = false;
        return ended;
    }

    /// <summary>Loses its pages, its prefixes and the step under way.</summary>
    /// <returns>The texts that have to go on elsewhere.</returns>
    public ServedText[] Fail()
    {
        _before = Work;
        ServedText[] left = [.. _texts];
        _texts.Clear();
        _tokens.Clear();
        _scheduler.Dispose();
        _scheduler = new Scheduler(model.Model, options);
        (IsUp, IsBusy) = (false, false);
        Version++;
        return left;
    }

    /// <summary>Works again, with nothing in its cache.</summary>
    public void Restart() => IsUp = true;

    /// <summary>Gives the pages of prefixes back; those that are in use then belong to no text.</summary>
    public long CountLostPages()
    {
        _scheduler.ForgetPrefixes();
        return _scheduler.Counters.UsedPages;
    }

    /// <summary>Frees the scheduler.</summary>
    public void Dispose() => _scheduler.Dispose();
}

/// <summary>A text and when its tokens came.</summary>
internal sealed class ServedText(Arrival arrival)
{
    private readonly List<double> _times = [];

    /// <summary>What was asked for.</summary>
    public Arrival Arrival => arrival;

    /// <summary>Its tokens so far.</summary>
    public List<int> Generated { get; } = [];

    /// <summary>When each of them came.</summary>
    public IReadOnlyList<double> Times => _times;

    /// <summary>Whether all came.</summary>
    public bool IsWhole => Generated.Count == arrival.Tokens;

    /// <summary>Seconds to the first token.</summary>
    public double FirstSeconds => _times[0] - arrival.Time;

    /// <summary>Seconds between neighbouring tokens.</summary>
    public IEnumerable<double> Gaps => _times.Zip(_times.Skip(1), (a, b) => b - a);

    /// <summary>Takes a token.</summary>
    /// <exception cref="InvalidOperationException">It has all of them.</exception>
    public void Add(int token, double time)
    {
        if (IsWhole)
            throw new InvalidOperationException($"a text of {arrival.Tokens} tokens got one more");
        Generated.Add(token);
        _times.Add(time);
    }
}

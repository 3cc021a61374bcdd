using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Engines;
using S2ILGPU.Models;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Simulation.Serving;

/// <summary>A model whose steps take a known time: predicted from what they ask of an engine that computes nothing, or
/// measured.</summary>
internal sealed class ServingModel : IDisposable
{
    private readonly IEngine _engine;
    private readonly Func<double> _clock;

    private ServingModel(IEngine engine, TransformerModel model, Func<double> clock) =>
        (_engine, Model, _clock) = (engine, model, clock);

    /// <summary>The model.</summary>
    public TransformerModel Model { get; }

    /// <summary>Seconds of each step so far, by the costs or by the processors.</summary>
    public List<double> Steps { get; } = [];

    /// <summary>What a step is taken to last, for runs that go the same way each time; null for its own time.</summary>
    public double? StepSeconds { get; set; }

    private Action? StepBegins { get; init; }

    private Action? StepEnds { get; init; }

    /// <summary>A model without weights and pages: they are counted, and each operation takes what it costs.</summary>
    /// <param name="costs">The machine.</param>
    /// <param name="config">The model.</param>
    /// <param name="activationType">Type of activations, keys and values; null for that of computing.</param>
    public static ServingModel Counted(MachineCosts costs, TransformerConfig config, ElementType? activationType)
    {
        double seconds = 0;
        bool isMade = false; // what makes the model is no step
        var engine = new TracedEngine(null, (operation, _) =>
            seconds += isMade ? costs.Seconds(operation) + costs.HostSeconds : 0);
        var model = new TransformerModel(engine, config, seed: null, activationType: activationType);
        isMade = true;
        return new ServingModel(engine, model, () => seconds);
    }

    /// <summary>A model that computes; time is what the process takes from processors.</summary>
    /// <param name="engine">Its engine; disposed with it.</param>
    /// <param name="config">The model.</param>
    /// <param name="stepBegins">Called before a step; null for nothing.</param>
    /// <param name="stepEnds">Called after a step; null for nothing.</param>
    public static ServingModel Measured(IEngine engine, TransformerConfig config, Action? stepBegins = null,
        Action? stepEnds = null) =>
        new(engine, new TransformerModel(engine, config), () => Environment.CpuUsage.TotalTime.TotalSeconds)
        {
            StepBegins = stepBegins,
            StepEnds = stepEnds,
        };

    /// <summary>Runs a step of a scheduler over the model.</summary>
    /// <returns>The seconds that it lasts.</returns>
    public double Time(Action step)
    {
        double start = _clock();
        StepBegins?.Invoke();
        step();
        StepEnds?.Invoke();
        double seconds = _clock() - start;
        Steps.Add(seconds);
        return StepSeconds ?? seconds;
    }

    /// <summary>Frees model and engine.</summary>
    public void Dispose()
    {
        Model.Dispose();
        _engine.Dispose();
    }
}

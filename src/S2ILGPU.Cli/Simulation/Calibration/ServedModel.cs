using S2ILGPU.Cli.Simulation.Serving;
using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Cpu;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;

namespace S2ILGPU.Cli.Simulation.Calibration;

/// <summary>A model that computes on one thread, and the same one traced. Both live for a whole calibration: like a
/// server, they allocate the memory of their largest steps once, and not again in each run.</summary>
internal sealed class ServedModel : IDisposable
{
    private readonly SchedulerOptions _options;
    private readonly CpuEngine _device = OneThread();
    private readonly ServingModel _model, _traced;
    private readonly List<TimedCall> _calls = [];
    private long _last;
    private int _step;

    /// <summary>Makes both models.</summary>
    /// <param name="config">The model.</param>
    /// <param name="options">Limits of the server.</param>
    public ServedModel(TransformerConfig config, SchedulerOptions options)
    {
        _options = options;
        _model = ServingModel.Measured(OneThread(), config);
        _traced = ServingModel.Measured(new TracedEngine(_device, (operation, _) => Note(operation)), config,
            () => _last = ProcessorTicks(), EndStep);
    }

    /// <summary>What <see cref="TraceEvenly"/> and <see cref="RunEvenly"/> measured; they get the same texts each
    /// time.</summary>
    public ServingTimes Times { get; } = new();

    /// <summary>Serves texts and measures the operations of each step. A step is taken to last 1 s, so that every round
    /// has the same operations.</summary>
    public void TraceEvenly(IReadOnlyList<Arrival> arrivals, CancellationToken cancellation)
    {
        _calls.Clear();
        _step = 0;
        Run(_traced, arrivals, stepSeconds: 1, cancellation);
        Times.AddTraced(_calls, _traced.Steps);
    }

    /// <summary>The same without tracing: measures each step as a whole.</summary>
    public void RunEvenly(IReadOnlyList<Arrival> arrivals, CancellationToken cancellation)
    {
        Run(_model, arrivals, stepSeconds: 1, cancellation);
        Times.AddSteps(_model.Steps);
    }

    /// <summary>Serves texts by the clock of the processor.</summary>
    public ServingForecast Serve(IReadOnlyList<Arrival> arrivals, CancellationToken cancellation) =>
        Run(_model, arrivals, stepSeconds: null, cancellation);

    /// <summary>Frees both models.</summary>
    public void Dispose()
    {
        _model.Dispose();
        _traced.Dispose();
        _device.Dispose();
    }

    private ServingForecast Run(ServingModel model, IReadOnlyList<Arrival> arrivals, double? stepSeconds,
        CancellationToken cancellation)
    {
        model.Steps.Clear();
        model.StepSeconds = stepSeconds;
        return ServingSimulation.Run(model, _options, 1, arrivals, null, seed: 1, cancellation);
    }

    private void Note(Operation operation)
    {
        long now = ProcessorTicks();
        _calls.Add(new TimedCall(operation, _step, Seconds(now - _last)));
        _last = now;
    }

    // What follows the last operation of a step counts as a part of it: tokens are drawn from the logits that it
    // downloaded.
    private void EndStep()
    {
        if (_calls.Count > 0 && _calls[^1] is var last && last.Step == _step)
            _calls[^1] = last with { Seconds = last.Seconds + Seconds(ProcessorTicks() - _last) };
        _step++;
    }

    private static double Seconds(long ticks) => ticks / (double)TimeSpan.TicksPerSecond;

    private static long ProcessorTicks() => Environment.CpuUsage.TotalTime.Ticks;

    private static CpuEngine OneThread() => new(new CpuOptions { Threads = 1 });
}

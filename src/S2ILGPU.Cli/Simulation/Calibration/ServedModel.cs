using S2ILGPU.Cli.Simulation.Serving;
using S2ILGPU.Cli.Simulation.Tracing;
using S2ILGPU.Cpu;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;

namespace S2ILGPU.Cli.Simulation.Calibration;

/// <summary>A model that computes on one thread, and the same one traced, both kept for a whole calibration: a server
/// that works for a while has the memory of its largest steps, and does not get it anew for each run.</summary>
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

    /// <summary>The times of one run that goes the same way each time.</summary>
    public ServingTimes Times { get; } = new();

    /// <summary>Measures the operations of that run.</summary>
    public void TraceEvenly(IReadOnlyList<Arrival> arrivals, CancellationToken cancellation)
    {
        _calls.Clear();
        _step = 0;
        Run(_traced, arrivals, stepSeconds: 1, cancellation);
        Times.AddTraced(_calls, _traced.Steps);
    }

    /// <summary>Measures the steps of that run, which are taken to last a second each: the same operations in each
    /// round.</summary>
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

    // The program after the last operation of a step: it draws tokens from the logits that were downloaded.
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

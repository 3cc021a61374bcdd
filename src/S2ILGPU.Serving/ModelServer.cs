using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using S2ILGPU.Lending;
using S2ILGPU.Models;
using S2ILGPU.Scheduling;
using S2ILGPU.Serving.Api;
using S2ILGPU.Serving.Metrics;
using S2ILGPU.Serving.Routing;
using S2ILGPU.Serving.Telemetry;

namespace S2ILGPU.Serving;

/// <summary>A model that serves many requests side by side, from any thread.</summary>
/// <remarks>
/// <para>A step that fails, because the model is damaged or memory ran out, ends all requests with status 503 and
/// makes the server not ready; the process goes on. Dispose it before the model.</para>
/// <para>Each request is a span of the activity source <c>S2ILGPU.Serving</c>, with the attributes of OpenTelemetry's
/// conventions for generative AI.</para>
/// </remarks>
public sealed class ModelServer : IDisposable
{
    private readonly Lock _gate = new();
    private readonly HashSet<Generation> _open = [];                                     // under the gate
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isDraining, _isFailureLogged, _isDisposed;                             // under the gate

    /// <summary>Creates the scheduler and starts its thread.</summary>
    /// <param name="pretrained">Model, tokenizer and end tokens; not disposed.</param>
    /// <param name="options">How to serve it.</param>
    /// <param name="logger">Gets messages of requests and of the server's life, without their texts; null for
    /// none.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    /// <exception cref="IOException">An attention worker is not reached or refuses.</exception>
    public ModelServer(PretrainedModel pretrained, ModelServerOptions options, ILogger<ModelServer>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(pretrained);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        (Pretrained, Options, Logger) = (pretrained, options, logger ?? NullLogger<ModelServer>.Instance);
        ContextTokens = Math.Min(pretrained.Model.Config.ContextTokens, options.Scheduler.MaxTokens ?? int.MaxValue);
        Scheduler = new SchedulerThread(pretrained.Model, options.Scheduler, pretrained.Tokenizer);
        Router = new LocalRouter(Scheduler);
        Logger.Started(options.ModelName, ContextTokens, options.Scheduler.Sequences);
    }

    /// <summary>What the scheduler did and holds.</summary>
    public SchedulerCounters Counters => Scheduler.Counters;

    /// <summary>Whether new requests are accepted: not while it drains, nor after a step failed.</summary>
    public bool IsReady
    {
        get
        {
            lock (_gate)
                return !_isDraining && Scheduler.Failure is null;
        }
    }

    internal PretrainedModel Pretrained { get; }

    /// <summary>What blocks chosen at run time kept so far; null for a model that runs with its patterns.</summary>
    internal SampleAttentionFigures? SampleFigures =>
        Pretrained.Model.SampleAttention is null ? null : Pretrained.Model.SampleFigures;

    internal ModelServerOptions Options { get; }

    internal ILogger Logger { get; }

    internal SchedulerThread Scheduler { get; }

    /// <summary>Where requests run; set before they come.</summary>
    internal IRequestRouter Router { get; set; }

    /// <summary>The clock of the time between events; set before requests come.</summary>
    internal TimeProvider Time { get; set; } = TimeProvider.System;

    /// <summary>What lends pages to other instances; null for a server alone.</summary>
    internal PageLender? Lender { get; set; }

    /// <summary>The most tokens of a prompt and its text.</summary>
    internal int ContextTokens { get; }

    internal ServingMetrics Metrics { get; } = new();

    internal DateTimeOffset Created { get; } = DateTimeOffset.UtcNow;

    /// <summary>Refuses new requests from now on.</summary>
    /// <returns>Completes when the answers of all accepted requests are written.</returns>
    public Task DrainAsync()
    {
        lock (_gate)
        {
            _isDraining = true;
            Logger.Draining(_open.Count);
            if (_open.Count == 0)
                _drained.TrySetResult();
        }
        return _drained.Task;
    }

    /// <summary>Stops the thread after its step and ends what still runs with status 503.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_isDisposed)
                return;
            _isDisposed = true;
        }
        Scheduler.Dispose();
        Logger.Stopped();
    }

    /// <summary>Submits the same request for several prompts.</summary>
    /// <exception cref="ApiException">It is refused: out of range, too long, the queue is full, or the server is not
    /// ready.</exception>
    internal async Task<Generation> BeginAsync(string operation, IReadOnlyList<int[]> prompts,
        GenerationRequest request, CancellationToken cancellation)
    {
        foreach (int[] prompt in prompts)
            if (prompt.Length > ContextTokens)
                throw ApiException.ContextExceeded(ContextTokens, prompt.Length);
        Generation generation;
        lock (_gate)
        {
            if (_isDraining)
                throw ApiException.Unavailable("the server is shutting down");
            _open.Add(generation = new Generation(this, operation, prompts, request));
        }
        try
        {
            await generation.SubmitAsync(Router, prompts, request, cancellation);
            Metrics.PromptTokens.Add(generation.PromptTokens);
            Logger.Began(operation, generation.Id, generation.PromptTokens, generation.Texts);
            return generation;
        }
        catch (Exception e)
        {
            if (e is not OperationCanceledException)
                generation.Trace.Fail(e);
            generation.Dispose();
            if (e is not (ArgumentException or InvalidOperationException))
                throw;
            throw e is ArgumentException ? new ApiException(400, e.Message)
                : Scheduler.Failure is not null ? ApiException.Unavailable(e.Message)
                : ApiException.QueueFull(e.Message);
        }
    }

    /// <summary>Forgets a generation, whose answer is written or not wanted any more.</summary>
    internal void End(Generation generation)
    {
        var trace = generation.Trace;
        Logger.Ended(trace.Operation, trace.Id, trace.InputTokens, trace.OutputTokens, trace.Duration.TotalSeconds,
            trace.QueueTime?.TotalSeconds, trace.FirstToken?.TotalSeconds,
            string.Join(' ', trace.FinishReasons.Distinct()));
        lock (_gate)
        {
            if (Scheduler.Failure is { } failure && !_isDisposed && !_isFailureLogged)
            {
                _isFailureLogged = true;
                Logger.Failed(failure);
            }
            if (_open.Remove(generation) && _isDraining && _open.Count == 0)
                _drained.TrySetResult();
        }
    }
}

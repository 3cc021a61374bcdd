using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using S2ILGPU.Scheduling;
using S2ILGPU.Serving.Api;
using S2ILGPU.Serving.Routing;
using S2ILGPU.Serving.Telemetry;

namespace S2ILGPU.Serving;

/// <summary>The texts that one HTTP request gets, timed and counted as they come.</summary>
internal sealed class Generation : IDisposable
{
    private readonly ModelServer _server;
    private readonly int _choices;
    private readonly long[] _lastTimestamps;                              // of each text; 0 before its first token
    private ITokenStream? _stream;

    public Generation(ModelServer server, string operation, IReadOnlyList<int[]> prompts, GenerationRequest request)
    {
        (_server, _choices) = (server, request.Choices);
        PromptTokens = prompts.Sum(prompt => prompt.Length);
        _lastTimestamps = new long[prompts.Count * request.Choices];
        Trace = new RequestTrace(Id, operation, server.Options.ModelName, request, PromptTokens, Texts);
    }

    /// <summary>Names the request in answers, traces and logs.</summary>
    public string Id { get; } = Guid.NewGuid().ToString("N");

    /// <summary>Tokens of all prompts.</summary>
    public int PromptTokens { get; }

    /// <summary>Texts of all prompts; choice c of prompt p is text p n + c.</summary>
    public int Texts => _lastTimestamps.Length;

    /// <summary>What became of it so far.</summary>
    public RequestTrace Trace { get; }

    /// <summary>Submits a request for each prompt.</summary>
    /// <exception cref="ArgumentException">As for <see cref="IRequestRouter.SubmitAsync"/>.</exception>
    /// <exception cref="InvalidOperationException">As for <see cref="IRequestRouter.SubmitAsync"/>.</exception>
    public async Task SubmitAsync(IRequestRouter router, IReadOnlyList<int[]> prompts, GenerationRequest request,
        CancellationToken cancellation) =>
        _stream = await router.SubmitAsync([.. prompts.Select(prompt => request with
        {
            Prompt = prompt,
            OnToken = Observe,
        })], cancellation);

    /// <summary>Takes a token that is there already; false when none is.</summary>
    public bool TryRead([MaybeNullWhen(false)] out GeneratedToken token) => _stream!.TryRead(out token);

    /// <summary>Waits for a token; false when all texts have ended.</summary>
    /// <exception cref="ApiException">The model failed.</exception>
    public async ValueTask<bool> WaitToReadAsync(CancellationToken cancellation)
    {
        try
        {
            return await _stream!.WaitToReadAsync(cancellation);
        }
        catch (InvalidOperationException e)
        {
            Trace.Fail(e);
            throw ApiException.Unavailable(e.Message);
        }
    }

    /// <summary>Whether no more tokens come; some may wait to be read.</summary>
    public bool HasEnded => _stream!.Ended.IsCompleted;

    /// <summary>Waits until the next event of a stream may be written: for the interval, or for the end of all texts.
    /// </summary>
    /// <param name="cancellation">Ends the waiting, without an exception.</param>
    public async Task PauseAsync(CancellationToken cancellation)
    {
        if (_server.Options.StreamInterval > TimeSpan.Zero)
            await _stream!.Ended.WaitAsync(_server.Options.StreamInterval, _server.Time, cancellation)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // a timeout is what is expected
    }

    /// <summary>Cancels what still runs.</summary>
    public void Dispose()
    {
        _stream?.Dispose();
        Trace.End(_stream?.QueueTime);
        _server.End(this);
    }

    // As tokens come, however slowly they are read; those of several texts may come at once.
    private void Observe(GeneratedToken token)
    {
        if (token.Token is not null)
        {
            ref long last = ref _lastTimestamps[token.Choice];
            double seconds = Stopwatch.GetElapsedTime(last == 0 ? Trace.Start : last).TotalSeconds;
            (last == 0 ? _server.Metrics.FirstToken : _server.Metrics.NextToken).Observe(seconds);
            Trace.CountToken(seconds);
            last = Stopwatch.GetTimestamp();
        }
        if (token.Finish is { } finish)
            Trace.Finish(token.Choice, finish);
        // once for a prompt: its choices say the same
        if (token.Sample is { } sample && token.Choice % _choices == 0 && _server.SampleFigures is { } figures)
            _server.Metrics.Sampled(sample, figures.Alpha);
    }
}

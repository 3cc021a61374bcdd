using System.Diagnostics;
using S2ILGPU.Scheduling;

namespace S2ILGPU.Serving.Telemetry;

/// <summary>What became of a request: as a span, with the attributes of OpenTelemetry's conventions for generative AI
/// where they have one, and for the log.</summary>
internal sealed class RequestTrace
{
    public const string SourceName = "S2ILGPU.Serving", Chat = "chat", TextCompletion = "text_completion";

    private static readonly ActivitySource s_source = new(SourceName);

    private readonly Activity? _activity;
    private readonly FinishReason?[] _finishes;
    private Exception? _failure;
    private int _outputTokens;
    private long _firstTokenTicks = -1;

    public RequestTrace(string id, string operation, string model, GenerationRequest request, int inputTokens,
        int texts)
    {
        (Id, Operation, InputTokens, _finishes) = (id, operation, inputTokens, new FinishReason?[texts]);
        _activity = s_source.StartActivity($"{operation} {model}");
        Start = Stopwatch.GetTimestamp(); // within the span, so that no time in it is longer than the span
        if (_activity is not { IsAllDataRequested: true })
            return;
        var sampling = request.Sampling;
        _activity.SetTag("gen_ai.operation.name", operation)
            .SetTag("gen_ai.provider.name", "s2ilgpu")
            .SetTag("gen_ai.request.model", model)
            .SetTag("gen_ai.response.model", model)
            .SetTag("gen_ai.response.id", id)
            .SetTag("gen_ai.request.choice.count", request.Choices)
            .SetTag("gen_ai.request.max_tokens", request.MaxTokens)
            .SetTag("gen_ai.request.temperature", (double)sampling.Temperature)
            .SetTag("gen_ai.request.top_p", (double)sampling.TopP)
            .SetTag("gen_ai.request.top_k", (double)sampling.TopK)
            .SetTag("gen_ai.request.frequency_penalty", (double)sampling.FrequencyPenalty)
            .SetTag("gen_ai.request.presence_penalty", (double)sampling.PresencePenalty)
            .SetTag("gen_ai.usage.input_tokens", inputTokens);
    }

    public string Id { get; }

    public string Operation { get; }

    public int InputTokens { get; }

    /// <summary>The timestamp from which its times count.</summary>
    public long Start { get; }

    /// <summary>Tokens of all texts so far.</summary>
    public int OutputTokens => Volatile.Read(ref _outputTokens);

    /// <summary>Time from the request to its first token; null before it.</summary>
    public TimeSpan? FirstToken =>
        Volatile.Read(ref _firstTokenTicks) is >= 0 and var ticks ? TimeSpan.FromTicks(ticks) : null;

    /// <summary>Time that it waited; null where it never began.</summary>
    public TimeSpan? QueueTime { get; private set; }

    /// <summary>Time from its beginning to its end.</summary>
    public TimeSpan Duration { get; private set; }

    /// <summary>Why each text ended, in OpenAI's words; <c>cancelled</c> where the client has gone.</summary>
    public string[] FinishReasons => [.. _finishes.Select(finish => _failure is not null && finish is null ? "error"
        : finish switch
        {
            FinishReason.Stop => "stop",
            FinishReason.Length => "length",
            FinishReason.TimedOut => "timed_out",
            FinishReason.Failed => "error",
            _ => "cancelled",
        })];

    /// <summary>Counts a token. On the scheduler's thread, as <see cref="Finish"/>.</summary>
    /// <param name="seconds">Since the token before, or since the request.</param>
    public void CountToken(double seconds)
    {
        if (FirstToken is null)
            Volatile.Write(ref _firstTokenTicks, TimeSpan.FromSeconds(seconds).Ticks);
        Interlocked.Increment(ref _outputTokens);
    }

    public void Finish(int text, FinishReason finish) => _finishes[text] = finish;

    public void Fail(Exception exception) => _failure = exception;

    /// <summary>Ends the span.</summary>
    public void End(TimeSpan? queueTime)
    {
        (QueueTime, Duration) = (queueTime, Stopwatch.GetElapsedTime(Start));
        if (_activity is null)
            return;
        _activity.SetTag("gen_ai.usage.output_tokens", OutputTokens)
            .SetTag("gen_ai.response.finish_reasons", FinishReasons)
            .SetTag("s2.queue_time", queueTime?.TotalSeconds)
            .SetTag("s2.time_to_first_token", FirstToken?.TotalSeconds);
        if (_failure is not null)
            _activity.SetTag("error.type", (_failure.InnerException ?? _failure).GetType().FullName)
                .SetStatus(ActivityStatusCode.Error, _failure.Message);
        _activity.Dispose();
    }
}

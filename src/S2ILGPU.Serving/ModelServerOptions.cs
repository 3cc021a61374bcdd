using S2ILGPU.Scheduling;
using S2ILGPU.Templates;

namespace S2ILGPU.Serving;

/// <summary>How a model is served. An immutable value; defaults here.</summary>
public sealed record ModelServerOptions
{
    private static readonly TimeSpan s_mostInterval = TimeSpan.FromMinutes(1);

    /// <summary>20 ms: a reader cannot tell that tokens come together.</summary>
    public static TimeSpan DefaultStreamInterval => TimeSpan.FromMilliseconds(20);

    /// <summary>The name of the model in requests and answers.</summary>
    public required string ModelName { get; init; }

    /// <summary>Limits of the scheduler: sequences, tokens of a step, bytes of the cache, length of the queue.
    /// </summary>
    public SchedulerOptions Scheduler { get; init; } = new();

    /// <summary>How messages become a prompt.</summary>
    public ChatTemplate Chat { get; init; } = ChatTemplate.Plain;

    /// <summary>The key that requests to <c>/v1</c> must carry as <c>Authorization: Bearer KEY</c>; null for none.
    /// </summary>
    public string? ApiKey { get; init; }

    /// <summary>The most bytes of a request's body.</summary>
    public int MaxBodyBytes { get; init; } = 10_000_000;

    /// <summary>The most time from a request until its texts end, waiting included: one that takes longer ends where it
    /// is, as at its most tokens (<c>length</c>). Null for no limit.</summary>
    public TimeSpan? RequestTimeout { get; init; }

    /// <summary>The least time between two events of a streamed answer, except for its last: one event has all tokens
    /// that came meanwhile. Zero for an event per token.</summary>
    public TimeSpan StreamInterval { get; init; } = DefaultStreamInterval;

    internal void Validate()
    {
        ArgumentException.ThrowIfNullOrEmpty(ModelName);
        if (ApiKey is not null && string.IsNullOrWhiteSpace(ApiKey))
            throw new ArgumentException("the API key is empty; leave it out for none");
        if (RequestTimeout is { } timeout && timeout <= TimeSpan.Zero)
            throw new ArgumentException($"the time of a request must be above 0, got {timeout}");
        if (StreamInterval < TimeSpan.Zero || StreamInterval > s_mostInterval)
            throw new ArgumentException($"the time between two events of a stream must be from 0 to "
                + $"{s_mostInterval}, got {StreamInterval}");
    }
}

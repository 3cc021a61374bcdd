using S2ILGPU.Scheduling;
using S2ILGPU.Templates;

namespace S2ILGPU.Serving;

/// <summary>How a model is served. An immutable value; defaults here.</summary>
public sealed record ModelServerOptions
{
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
}

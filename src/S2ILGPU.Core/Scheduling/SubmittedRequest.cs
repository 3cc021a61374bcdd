namespace S2ILGPU.Scheduling;

/// <summary>A request that a scheduler works on.</summary>
public sealed class SubmittedRequest
{
    private volatile bool _isCancelled, _isFinished;
    private long _queueTicks = -1;

    internal SubmittedRequest(GenerationRequest request, long startTimestamp)
    {
        (Request, StartTimestamp, OpenChoices) = (request, startTimestamp, request.Choices);
        Group = request.Group is { } group ? group : this;
    }

    /// <summary>The request.</summary>
    public GenerationRequest Request { get; }

    /// <summary>Whether all choices ended.</summary>
    public bool IsFinished => _isFinished;

    /// <summary>How long it waited before it began for the first time; null while it waits.</summary>
    public TimeSpan? QueueTime =>
        Volatile.Read(ref _queueTicks) is >= 0 and var ticks ? TimeSpan.FromTicks(ticks) : null;

    /// <summary>Its number, once it is in the queue.</summary>
    internal long Order { get; set; }

    /// <summary>Equal for requests that take turns with others as one.</summary>
    internal object Group { get; }

    internal long StartTimestamp { get; }

    internal int OpenChoices { get; private set; }

    internal bool IsCancelled => _isCancelled;

    /// <summary>Ends the request at the next step. Any thread may call it; it does nothing for a finished
    /// request.</summary>
    public void Cancel() => _isCancelled = true;

    internal void Begin(TimeSpan queueTime)
    {
        if (QueueTime is null)
            Volatile.Write(ref _queueTicks, queueTime.Ticks);
    }

    internal void EndChoice() => _isFinished = --OpenChoices == 0;
}

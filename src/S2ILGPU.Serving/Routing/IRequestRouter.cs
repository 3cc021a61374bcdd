using System.Diagnostics.CodeAnalysis;
using S2ILGPU.Scheduling;

namespace S2ILGPU.Serving.Routing;

/// <summary>Where the requests of a server run: in its own scheduler, or on the instances of a cluster.</summary>
internal interface IRequestRouter
{
    /// <summary>Submits requests, whose tokens are read from one stream.</summary>
    /// <param name="requests">The requests, at least one; <see cref="GenerationRequest.OnToken"/> gets each token as it
    /// comes, with the text as its choice.</param>
    /// <param name="cancellation">Ends the waiting for a place.</param>
    /// <exception cref="ArgumentException">A request cannot run anywhere.</exception>
    /// <exception cref="InvalidOperationException">Every queue is full, or no scheduler works.</exception>
    Task<ITokenStream> SubmitAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellation);

    /// <summary>The instances that answer, this one first; empty for a server alone.</summary>
    Task<IReadOnlyList<InstanceStatus>> InstancesAsync(CancellationToken cancellation);
}

/// <summary>The tokens of one or several requests as they come. Dispose it to cancel what still runs.</summary>
internal interface ITokenStream : IDisposable
{
    /// <summary>How long the first of the requests to begin waited; null where none began.</summary>
    TimeSpan? QueueTime { get; }

    /// <summary>Completes, without a failure, when no more tokens come; some may wait to be read.</summary>
    Task Ended { get; }

    /// <summary>Takes a token that is there already; <see cref="GeneratedToken.Choice"/> is the text, from 0.</summary>
    /// <returns>False when none is there now.</returns>
    bool TryRead([MaybeNullWhen(false)] out GeneratedToken token);

    /// <summary>Waits for a token; false when all texts have ended.</summary>
    /// <exception cref="InvalidOperationException">The model failed.</exception>
    ValueTask<bool> WaitToReadAsync(CancellationToken cancellation);
}

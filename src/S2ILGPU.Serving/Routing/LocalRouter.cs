using System.Diagnostics.CodeAnalysis;
using S2ILGPU.Scheduling;

namespace S2ILGPU.Serving.Routing;

/// <summary>Runs all requests in the server's own scheduler.</summary>
internal sealed class LocalRouter(SchedulerThread scheduler) : IRequestRouter
{
    public Task<ITokenStream> SubmitAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellation) =>
        Task.FromResult<ITokenStream>(new Tokens(scheduler.Submit(requests)));

    public Task<IReadOnlyList<InstanceStatus>> InstancesAsync(CancellationToken cancellation) =>
        Task.FromResult<IReadOnlyList<InstanceStatus>>([]);

    private sealed class Tokens(TokenStream stream) : ITokenStream
    {
        public TimeSpan? QueueTime => stream.Requests.Min(request => request.QueueTime);

        public Task Ended => stream.Ended;

        public bool TryRead([MaybeNullWhen(false)] out GeneratedToken token) => stream.TryRead(out token);

        public ValueTask<bool> WaitToReadAsync(CancellationToken cancellation) => stream.WaitToReadAsync(cancellation);

        public void Dispose() => stream.Dispose();
    }
}

using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using S2ILGPU.Scheduling;
using S2ILGPU.Serving.Routing;

namespace S2ILGPU.Serving.Tests;

/// <summary>Runs no model: the test writes the tokens of the one request that a server gets.</summary>
internal sealed class GivenTokens : IRequestRouter, ITokenStream
{
    private readonly Channel<GeneratedToken> _tokens = Channel.CreateUnbounded<GeneratedToken>();
    private readonly TaskCompletionSource _ended = new(), _cancelled = new();
    private Action<GeneratedToken>? _onToken;

    public TimeSpan? QueueTime => null;

    public Task Ended => _ended.Task;

    /// <summary>Completes when the server cancels the request, or has written its answer.</summary>
    public Task Cancelled => _cancelled.Task;

    /// <summary>Writes a token without log-probabilities of alternatives.</summary>
    public void Write(string text, FinishReason? finish = null, int choice = 0, int token = 1) =>
        Write(new GeneratedToken(choice, token, text, -token, [], finish));

    /// <summary>Says that all texts have ended, or that the model failed.</summary>
    public void End(Exception? failure = null)
    {
        _tokens.Writer.Complete(failure);
        _ended.SetResult();
    }

    public Task<ITokenStream> SubmitAsync(IReadOnlyList<GenerationRequest> requests, CancellationToken cancellation)
    {
        _onToken = requests[0].OnToken;
        return Task.FromResult<ITokenStream>(this);
    }

    public Task<IReadOnlyList<InstanceStatus>> InstancesAsync(CancellationToken cancellation) =>
        Task.FromResult<IReadOnlyList<InstanceStatus>>([]);

    public bool TryRead([MaybeNullWhen(false)] out GeneratedToken token) => _tokens.Reader.TryRead(out token);

    public ValueTask<bool> WaitToReadAsync(CancellationToken cancellation) =>
        _tokens.Reader.WaitToReadAsync(cancellation);

    public void Dispose() => _cancelled.TrySetResult();

    private void Write(GeneratedToken token)
    {
        _onToken!(token);
        _tokens.Writer.TryWrite(token);
    }
}

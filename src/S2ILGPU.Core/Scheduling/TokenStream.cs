using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace S2ILGPU.Scheduling;

/// <summary>The tokens of one or several requests as they come: a buffer between the scheduler's thread, which never
/// waits, and a reader that may be slow. It holds at most the tokens that the requests may get.</summary>
/// <remarks>One reader, once. Dispose it to cancel what still runs.</remarks>
public sealed class TokenStream : IDisposable
{
    private readonly SchedulerThread _thread;
    private readonly Channel<GeneratedToken> _tokens = Channel.CreateUnbounded<GeneratedToken>(
        new UnboundedChannelOptions { SingleReader = true });
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<SubmittedRequest> _requests = [];
    private int _openTexts;                                               // of the scheduler's thread

    internal TokenStream(SchedulerThread thread, int texts) => (_thread, Texts, _openTexts) = (thread, texts, texts);

    /// <summary>Number of texts: the choices of all requests, one request after the other.</summary>
    public int Texts { get; }

    /// <summary>The requests.</summary>
    public IReadOnlyList<SubmittedRequest> Requests => _requests;

    /// <summary>Completes when no more tokens come, since all texts have ended or the scheduler failed; some may wait
    /// to be read.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Tokens of all texts; <see cref="GeneratedToken.Choice"/> is the text, from 0.</summary>
    /// <param name="cancellation">Ends the reading; the requests go on.</param>
    /// <exception cref="InvalidOperationException">The scheduler failed.</exception>
    public async IAsyncEnumerable<GeneratedToken> ReadAsync(
        [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        while (await WaitToReadAsync(cancellation).ConfigureAwait(false))
            while (TryRead(out var token))
                yield return token;
    }

    /// <summary>Takes a token that is there already: for a reader that sends all of those at once.</summary>
    /// <param name="token">The token, as <see cref="ReadAsync"/> gives it.</param>
    /// <returns>False when none is there now.</returns>
    public bool TryRead([MaybeNullWhen(false)] out GeneratedToken token) => _tokens.Reader.TryRead(out token);

    /// <summary>Waits for a token that <see cref="TryRead"/> takes.</summary>
    /// <param name="cancellation">Ends the waiting; the requests go on.</param>
    /// <returns>False when all texts have ended.</returns>
    /// <exception cref="InvalidOperationException">The scheduler failed.</exception>
    public async ValueTask<bool> WaitToReadAsync(CancellationToken cancellation = default)
    {
        try
        {
            return await _tokens.Reader.WaitToReadAsync(cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw SchedulerThread.Failed(e);
        }
    }

    /// <summary>Cancels what still runs.</summary>
    public void Dispose()
    {
        foreach (var request in _requests)
            request.Cancel();
        _thread.End(this);
    }

    internal void Add(SubmittedRequest request) => _requests.Add(request);

    /// <summary>The request with its tokens written here too, its choices being the texts from one on.</summary>
    internal GenerationRequest Receive(GenerationRequest request, int firstText) => request with
    {
        OnToken = token => Take(token with { Choice = firstText + token.Choice }, request.OnToken),
    };

    internal void Fail(Exception exception) => End(exception);

    // On the scheduler's thread.
    private void Take(GeneratedToken token, Action<GeneratedToken>? also)
    {
        also?.Invoke(token);
        _tokens.Writer.TryWrite(token);
        if (token.Finish is not null && --_openTexts == 0)
            End(null);
    }

    private void End(Exception? failure)
    {
        _tokens.Writer.TryComplete(failure);
        _ended.TrySetResult();
    }
}

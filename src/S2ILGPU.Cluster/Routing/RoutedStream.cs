using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using S2ILGPU.Scheduling;
using S2ILGPU.Serving.Metrics;
using S2ILGPU.Serving.Routing;

namespace S2ILGPU.Cluster.Routing;

/// <summary>The tokens of requests that run on one or several instances; what a lost instance leaves unfinished goes on
/// on others, after the tokens that are here.</summary>
internal sealed class RoutedStream(ClusterRouter router, ServingMetrics metrics) : ITokenStream
{
    private readonly CancellationTokenSource _cancel = new();
    private readonly Channel<GeneratedToken> _tokens = Channel.CreateUnbounded<GeneratedToken>(
        new UnboundedChannelOptions { SingleReader = true });
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<IRun> _runs = [];
    private readonly List<Task> _followed = [];
    private int _texts;

    public TimeSpan? QueueTime => _runs.Min(run => run.QueueTime);

    public Task Ended => _ended.Task;

    /// <summary>Adds a request that runs; its choices are the next texts.</summary>
    public void Add(GenerationRequest request, IRun run)
    {
        _runs.Add(run);
        _followed.Add(FollowAsync(request, run, _texts));
        _texts += request.Choices;
    }

    /// <summary>Says that all requests are added.</summary>
    public void Complete() => _ = CompleteAsync();

    public bool TryRead([MaybeNullWhen(false)] out GeneratedToken token) => _tokens.Reader.TryRead(out token);

    public ValueTask<bool> WaitToReadAsync(CancellationToken cancellation) =>
        _tokens.Reader.WaitToReadAsync(cancellation);

    public void Dispose() => _cancel.Cancel();

    private async Task CompleteAsync()
    {
        try
        {
            await Task.WhenAll(_followed);
            _tokens.Writer.TryComplete();
        }
        catch (Exception e)
        {
            _tokens.Writer.TryComplete(e is OperationCanceledException or InvalidOperationException ? e
                : new InvalidOperationException(e.Message, e));
        }
        _ended.TrySetResult();
    }

    private async Task FollowAsync(GenerationRequest request, IRun run, int firstText)
    {
        var texts = new Continuation(request);
        try
        {
            await using (run)
                await foreach (var token in run.ReadAsync(_cancel.Token))
                {
                    texts.Add(token);
                    var named = token with { Choice = firstText + token.Choice };
                    request.OnToken?.Invoke(named);
                    _tokens.Writer.TryWrite(named);
                }
        }
        catch (InstanceLostException)
        {
            await Task.WhenAll(texts.Unfinished().Select(rest => ContinueAsync(rest.Request, firstText + rest.Choice)));
        }
    }

    private async Task ContinueAsync(GenerationRequest rest, int text)
    {
        metrics.Continued.Add(1);
        await FollowAsync(rest, await router.ReplaceAsync(rest, _cancel.Token), text);
    }
}

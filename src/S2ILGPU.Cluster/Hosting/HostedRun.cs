using System.Diagnostics;
using S2ILGPU.Cluster.Wire;
using S2ILGPU.Scheduling;

namespace S2ILGPU.Cluster.Hosting;

/// <summary>A run for another instance: its tokens since the position that was asked for last.</summary>
internal sealed class HostedRun : IDisposable
{
    private readonly TokenStream _stream;
    private readonly Lock _gate = new();
    private readonly List<GeneratedToken> _tokens = [];                                 // under the gate
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously); // under the gate
    private int _first;                                                                 // position of the first token
    private bool _isEnd;                                                                // under the gate
    private string? _failure;                                                           // under the gate
    private long _lastAsked = Stopwatch.GetTimestamp();

    public HostedRun(TokenStream stream)
    {
        _stream = stream;
        _ = CollectAsync();
    }

    /// <summary>Time since its tokens were asked for.</summary>
    public TimeSpan Unasked => Stopwatch.GetElapsedTime(Interlocked.Read(ref _lastAsked));

    /// <summary>Tokens from a position on.</summary>
    /// <exception cref="ArgumentException">The position was passed already, or is not reached.</exception>
    public async Task<TokenBatch> ReadAsync(int position, TimeSpan wait)
    {
        Touch();
        Task more;
        lock (_gate)
        {
            if (position < _first || position > _first + _tokens.Count)
                throw new ArgumentException($"tokens {_first} to {_first + _tokens.Count} are here, got {position}");
            _tokens.RemoveRange(0, position - _first);
            _first = position;
            more = _tokens.Count > 0 || _isEnd ? Task.CompletedTask : _more.Task;
        }
        await more.WaitAsync(wait).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Touch();
        lock (_gate)
            // A repeated call may have moved on meanwhile; then this one's answer is not waited for.
            return new TokenBatch(position == _first ? [.. _tokens] : [], _isEnd && position == _first, _failure,
                _stream.Requests[0].QueueTime);
    }

    /// <summary>Cancels what still runs.</summary>
    public void Dispose() => _stream.Dispose();

    private void Touch() => Interlocked.Exchange(ref _lastAsked, Stopwatch.GetTimestamp());

    private async Task CollectAsync()
    {
        try
        {
            await foreach (var token in _stream.ReadAsync())
                Add(token);
            End(null);
        }
        catch (InvalidOperationException e)
        {
            End(e.Message);
        }
    }

    private void Add(GeneratedToken token)
    {
        lock (_gate)
        {
            _tokens.Add(token);
            _more.TrySetResult();
            _more = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    private void End(string? failure)
    {
        lock (_gate)
        {
            (_isEnd, _failure) = (true, failure);
            _more.TrySetResult();
        }
    }
}

using System.Diagnostics;
using S2ILGPU.AttentionWorkers;
using S2ILGPU.Engines;
using S2ILGPU.Lending;
using S2ILGPU.Models;
using S2ILGPU.Tokenizers;

namespace S2ILGPU.Scheduling;

/// <summary>A scheduler and the background thread that steps it: any thread submits, and reads tokens as they
/// come.</summary>
/// <remarks>A step that fails, because the model is damaged or memory ran out, ends all requests and refuses new ones;
/// the process goes on. Dispose it before the model.</remarks>
public sealed class SchedulerThread : IDisposable
{
    // A snapshot is handed out again until it is 50 times as old as it took to make, within these bounds.
    private const int SnapshotShare = 50;
    private static readonly TimeSpan s_leastAge = TimeSpan.FromMilliseconds(200), s_mostAge = TimeSpan.FromSeconds(1);

    private readonly Scheduler _scheduler;
    private readonly Thread _thread;
    private readonly AutoResetEvent _wake = new(false);
    private readonly Lock _gate = new();
    private readonly HashSet<TokenStream> _open = [];                            // under the gate
    private TaskCompletionSource<SchedulerSnapshot>? _wanted;                    // under the gate
    private SchedulerSnapshot? _snapshot;                                        // under the gate
    private long _snapshotTimestamp;                                             // under the gate
    private TimeSpan _snapshotAge;                                               // under the gate
    private Exception? _failure;                                                 // under the gate
    private volatile bool _isStopping;

    /// <summary>Creates the scheduler and starts its thread.</summary>
    /// <param name="model">The model; not disposed.</param>
    /// <param name="options">Limits; null for the defaults.</param>
    /// <param name="tokenizer">Makes text of tokens; null for tokens alone.</param>
    /// <exception cref="ArgumentException">As for <see cref="Scheduler"/>.</exception>
    /// <exception cref="IOException">As for <see cref="Scheduler"/>.</exception>
    public SchedulerThread(TransformerModel model, SchedulerOptions? options = null,
        BytePairTokenizer? tokenizer = null)
    {
        _scheduler = new Scheduler(model, options, tokenizer);
        _thread = new Thread(Run) { IsBackground = true, Name = "S2ILGPU scheduler" };
        _thread.Start();
    }

    /// <summary>What the scheduler did and holds.</summary>
    public SchedulerCounters Counters => _scheduler.Counters;

    /// <inheritdoc cref="Scheduler.AttentionWorkers"/>
    public AttentionWorkerFigures? AttentionWorkers => _scheduler.AttentionWorkers;

    /// <summary>Where pages are borrowed for requests that need more than this scheduler may have; null for nowhere.
    /// Set before requests come; set to null again, it ends those that need it.</summary>
    public IPageCredit? Credit
    {
        get => _scheduler.Credit;
        set => _scheduler.Credit = value;
    }

    /// <summary>What was borrowed.</summary>
    public BorrowingCounters Borrowing => _scheduler.Borrowing;

    /// <summary>Bytes of pages that could be lent now.</summary>
    public long LendableBytes => _scheduler.LendableBytes;

    /// <summary>A lender of this scheduler's free pages.</summary>
    /// <param name="engine">Holds them and computes over them: an engine of their own, as the model's is driven by this
    /// scheduler's thread. Not disposed.</param>
    /// <exception cref="ArgumentException">The engine does not compute attention of the model's
    /// activations.</exception>
    public PageLender CreateLender(IEngine engine)
    {
        ArgumentNullException.ThrowIfNull(engine);
        return _scheduler.CreateLender(engine, () => _wake.Set());
    }

    /// <summary>Why no step runs any more; null while it works.</summary>
    public Exception? Failure
    {
        get
        {
            lock (_gate)
                return _failure;
        }
    }

    /// <inheritdoc cref="Scheduler.PrefixHashes"/>
    public ulong[] PrefixHashes(IReadOnlyList<int> prompt) => _scheduler.PrefixHashes(prompt);

    /// <inheritdoc cref="Scheduler.KeptPrefixTokens"/>
    public int KeptPrefixTokens(ReadOnlySpan<ulong> prefixHashes) => _scheduler.KeptPrefixTokens(prefixHashes);

    /// <summary>Submits requests whose tokens are read from one stream.</summary>
    /// <param name="requests">The requests, at least one.</param>
    /// <exception cref="ArgumentException">There are none, or as for <see cref="Scheduler.Submit"/>; then none of the
    /// requests runs on.</exception>
    /// <exception cref="InvalidOperationException">The queue is full, or the scheduler failed.</exception>
    public TokenStream Submit(params IReadOnlyList<GenerationRequest> requests)
    {
        ArgumentNullException.ThrowIfNull(requests);
        if (requests.Count == 0)
            throw new ArgumentException("there are no requests");
        var stream = new TokenStream(this, requests.Sum(request => request.Choices));
        lock (_gate)
        {
            if (_failure is not null)
                throw Failed(_failure);
            _open.Add(stream);
        }
        try
        {
            int texts = 0;
            Guid? group = requests.Count > 1 ? Guid.NewGuid() : null;
            foreach (var request in requests)
            {
                stream.Add(_scheduler.Submit(stream.Receive(request, texts) with { Group = request.Group ?? group }));
                texts += request.Choices;
            }
            _wake.Set();
            return stream;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>What the scheduler holds, 0.2 s old, and up to 1 s where it is much.</summary>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <exception cref="InvalidOperationException">The scheduler failed.</exception>
    /// <remarks>However many ask and however often, the thread makes at most 5 in a second, and fewer where one takes
    /// more than 4 ms.</remarks>
    public Task<SchedulerSnapshot> CaptureAsync(CancellationToken cancellation = default)
    {
        Task<SchedulerSnapshot> wanted;
        lock (_gate)
        {
            if (_failure is not null)
                throw Failed(_failure);
            if (_snapshot is not null && Stopwatch.GetElapsedTime(_snapshotTimestamp) < _snapshotAge)
                return Task.FromResult(_snapshot);
            _wanted ??= new TaskCompletionSource<SchedulerSnapshot>(
                TaskCreationOptions.RunContinuationsAsynchronously);
            wanted = _wanted.Task;
        }
        _wake.Set();
        return wanted.WaitAsync(cancellation);
    }

    /// <summary>Stops the thread after its step and ends what still runs.</summary>
    public void Dispose()
    {
        if (_isStopping)
            return;
        _isStopping = true;
        _wake.Set();
        _thread.Join();
        Fail(new ObjectDisposedException(nameof(SchedulerThread)));
        _scheduler.Dispose();
    }

    internal static InvalidOperationException Failed(Exception why) => new($"the model failed: {why.Message}", why);

    internal void End(TokenStream stream)
    {
        lock (_gate)
            _open.Remove(stream);
        _wake.Set();
    }

    private void Run()
    {
        try
        {
            while (!_isStopping)
            {
                bool hasMore = _scheduler.Step();
                CaptureIfWanted();
                if (!hasMore)
                    _wake.WaitOne();
            }
        }
        catch (Exception e)
        {
            Fail(e);
        }
    }

    private void CaptureIfWanted()
    {
        lock (_gate)
            if (_wanted is null)
                return;
        long start = Stopwatch.GetTimestamp();
        var snapshot = _scheduler.Capture();
        TaskCompletionSource<SchedulerSnapshot> wanted;
        lock (_gate)
        {
            (wanted, _wanted) = (_wanted!, null);
            (_snapshot, _snapshotTimestamp) = (snapshot, Stopwatch.GetTimestamp());
            var age = SnapshotShare * Stopwatch.GetElapsedTime(start, _snapshotTimestamp);
            _snapshotAge = age < s_leastAge ? s_leastAge : age > s_mostAge ? s_mostAge : age;
        }
        wanted.SetResult(snapshot);
    }

    private void Fail(Exception exception)
    {
        TokenStream[] open;
        TaskCompletionSource<SchedulerSnapshot>? wanted;
        lock (_gate)
        {
            _failure ??= exception;
            open = [.. _open];
            (wanted, _wanted) = (_wanted, null);
        }
        foreach (var stream in open)
            stream.Fail(exception);
        wanted?.SetException(Failed(exception));
    }
}

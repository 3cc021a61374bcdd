using S2ILGPU.AttentionWorkers;
using S2ILGPU.Grammars;
using S2ILGPU.Inference;
using S2ILGPU.Models;
using S2ILGPU.Tokenizers;

namespace S2ILGPU.Scheduling;

/// <summary>Continues many prompts at once: in every step one token of each running text and chunks of prompts, packed
/// into one forward pass (continuous batching).</summary>
/// <remarks>
/// <para>Requests begin by priority, and equals in turns: the next text of a request stands behind the first ones of
/// others, and those of equal turns keep the order of submission. One begins when the pages that its patterns need at
/// its longest are free, which for sparse patterns is a small part of what dense attention would need; until then none
/// behind it does. A request of a higher priority takes the place of running ones of lower priorities; these are
/// computed again later, token by token as before.</para>
/// <para>On the CPU engine a request's tokens are those that it would get alone, whatever else runs, whether a prefix
/// is shared, and however often it gave way.</para>
/// <para>One thread calls <see cref="Step"/>; any thread may submit and cancel. Dispose it before the model.</para>
/// </remarks>
public sealed partial class Scheduler : IDisposable
{
    private readonly TransformerModel _model;
    private readonly SchedulerOptions _options;
    private readonly BytePairTokenizer? _tokenizer;
    private readonly Lazy<TokenTrie>? _trie;
    private readonly TimeProvider _time;
    private readonly RemoteAttention? _remote;
    private readonly KeyValueCache _cache;
    private readonly PackedStep _step;
    private readonly PageDemand _demand;
    private readonly PrefixCache _prefixes;
    private readonly Lock _gate = new();
    private readonly List<Branch> _submitted = [];                                // under the gate
    private readonly List<Branch> _queue = [], _running = [];                     // first those that go first
    private readonly List<Part> _parts = [];                                      // of the step
    private readonly Stack<int> _freeSequences = new();
    private long _orders, _committedBytes;
    private int _queued, _begun;                                                  // under the gate
    private bool _ranOutOfPages;
    private SchedulerCounters _counters, _published;

    /// <summary>Creates a scheduler without requests.</summary>
    /// <param name="model">The model; not disposed.</param>
    /// <param name="options">Limits; null for the defaults.</param>
    /// <param name="tokenizer">Makes text of tokens, which stop strings need; null for tokens alone.</param>
    /// <param name="time">The clock of timeouts and pauses; null for the system's.</param>
    /// <exception cref="ArgumentException">An option is out of its range, the tokenizer has more tokens than the model,
    /// or attention workers cannot share the model's heads.</exception>
    /// <exception cref="IOException">An attention worker is not reached or refuses.</exception>
    public Scheduler(TransformerModel model, SchedulerOptions? options = null, BytePairTokenizer? tokenizer = null,
        TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        (_model, _tokenizer, _time) = (model, tokenizer, time ?? TimeProvider.System);
        _pause = new BorrowingPause(_time, Random.Shared);
        _trie = tokenizer is null ? null : new Lazy<TokenTrie>(() => new TokenTrie(tokenizer));
        _options = (options ?? new SchedulerOptions()).Validate();
        if (tokenizer?.VocabularySize > model.Config.VocabularySize)
            throw new ArgumentException($"the tokenizer has {tokenizer.VocabularySize} tokens, the model only "
                + $"{model.Config.VocabularySize}: they do not belong together");
        _remote = _options.AttentionWorkers is null ? null
            : new RemoteAttention(model, _options.Cache, _options.AttentionWorkers);
        _cache = new KeyValueCache(model, _options.Cache, _remote);
        _step = new PackedStep(model, _cache);
        _demand = new PageDemand(model, _cache, _options.ChunkTokens);
        _prefixes = new PrefixCache(_cache, _options.Prefixes, _options.ChunkTokens);
        for (int s = _options.Sequences - 1; s >= 0; s--)
            _freeSequences.Push(s);
        Publish();
    }

    /// <summary>The counters after the last step; what begins in the one under way counts as running. Any thread may
    /// read them.</summary>
    public SchedulerCounters Counters
    {
        get
        {
            lock (_gate)
                return _published with { Queued = _queued + _submitted.Count, Running = _published.Running + _begun };
        }
    }

    /// <summary>What attention on workers cost; null where it runs here. Any thread may read it.</summary>
    public AttentionWorkerFigures? AttentionWorkers => _remote?.Figures;

    private int VocabularySize => _tokenizer?.VocabularySize ?? _model.Config.VocabularySize;

    /// <summary>What <see cref="KeptPrefixTokens"/> takes: a hash of the prompt up to the end of each chunk that a
    /// kept prefix may save, equal on every scheduler with the same <see cref="SchedulerOptions.ChunkTokens"/>. Any
    /// thread may call it.</summary>
    /// <param name="prompt">Token ids.</param>
    public ulong[] PrefixHashes(IReadOnlyList<int> prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        return _prefixes.Hashes([.. prompt.Take(prompt.Count - 1)]);
    }

    /// <summary>How many tokens of a prompt need not be computed, because a prefix with them is kept now. Any thread
    /// may call it.</summary>
    /// <param name="prefixHashes">The prompt, as <see cref="PrefixHashes"/> gives it.</param>
    public int KeptPrefixTokens(ReadOnlySpan<ulong> prefixHashes) => _prefixes.KeptTokens(prefixHashes);

    /// <summary>Adds a request to the queue. Any thread may call it.</summary>
    /// <param name="request">The request.</param>
    /// <returns>The request, to cancel it.</returns>
    /// <exception cref="ArgumentException">A value of the request is out of its range, it has stop strings or a
    /// grammar and there is no tokenizer, the grammar allows too many ways at once, or it can never run: it needs more
    /// sequences or more bytes than there are.</exception>
    /// <exception cref="InvalidOperationException">The queue is full.</exception>
    public SubmittedRequest Submit(GenerationRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        request.Validate(VocabularySize, _cache.MaxTokens);
        if (request.Stop.Count > 0 && _tokenizer is null)
            throw new ArgumentException("stop strings need a scheduler with a tokenizer");
        if (request.Grammar is not null && _trie is null)
            throw new ArgumentException("grammars need a scheduler with a tokenizer");
        if (request.Choices > _options.Sequences)
            throw new ArgumentException(
                $"{request.Choices} choices need as many sequences, there are {_options.Sequences}");
        var (bytes, farBytes) = DemandOf(request);
        var submitted = new SubmittedRequest(request, _time.GetTimestamp());
        // Not under the gate, as a grammar takes time.
        var constraint = ConstraintOf(request);
        Branch[] choices = [.. Enumerable.Range(0, request.Choices).Select(choice =>
            new Branch(submitted, choice, _tokenizer, choice == 0 ? constraint : constraint?.Copy())
            { Bytes = bytes, FarBytes = farBytes })];
        lock (_gate)
        {
            ThrowIfFull();
            submitted.Order = _orders++;
            _submitted.Add(choices[0]);
            // Those that do not fit together run each by itself, as room comes.
            (farBytes.Length == 0 && (double)bytes * request.Choices <= _options.MaxBytes ? choices[0].Children
                : _submitted).AddRange(choices[1..]);
            return submitted;
        }
    }

    // Of one choice.
    private (long Bytes, long[] FarBytes) DemandOf(GenerationRequest request)
    {
        int longest = (int)Math.Min(_cache.MaxTokens, (long)request.Prompt.Count + request.MaxTokens - 1);
        lock (_gate)
        {
            long whole = _demand.Bytes(longest);
            var demand = whole <= _options.MaxBytes ? (whole, []) : DemandWithCredit(longest)
                ?? throw new ArgumentException($"a choice of up to {longest} tokens needs {whole} bytes of pages"
                + (_remote is null ? "" : " of one attention worker") + $", {_options.MaxBytes} are allowed"
                + (Credit is null ? "" : $", and other instances lend at most {Credit.MostBytes}"));
            ThrowIfFull();
            return demand;
        }
    }

    // Under the gate.
    private void ThrowIfFull()
    {
        if (_queued + _submitted.Count >= _options.MaxQueued)
            throw new InvalidOperationException($"the queue is full: {_options.MaxQueued} requests wait");
    }

    // Where a text begins, after what may follow was computed there and behind each token that is generated already: on
    // the thread of who asks, which has to wait for it, and not on that of all texts.
    private TokenConstraint? ConstraintOf(GenerationRequest request)
    {
        if (request.Grammar is null)
            return null;
        try
        {
            var constraint = new TokenConstraint(request.Grammar, _trie!.Value, request.EndTokens);
            var ahead = constraint.Copy();
            foreach (int token in request.Generated)
            {
                if (!ahead.Allowed().Contains(token))
                    throw new ArgumentException(
                        $"token {token}, which is generated already, cannot follow in the grammar");
                ahead.Accept(token);
                if (ahead.IsFinished)
                    break;
            }
            ahead.Allowed();
            return constraint;
        }
        catch (AmbiguousGrammarException e)
        {
            throw new ArgumentException(e.Message, e);
        }
    }

    /// <summary>Runs one step: ends what was cancelled or took too long, lets requests begin, computes, and hands out
    /// tokens.</summary>
    /// <returns>Whether there is more to do.</returns>
    /// <exception cref="InvalidDataException">A logit is NaN: the model is damaged.</exception>
    /// <exception cref="IOException">A lost attention worker did not come back in time.</exception>
    /// <remarks>A step during which an attention worker is lost hands out nothing; the requests go on when one is
    /// reached again, as if they had given way.</remarks>
    public bool Step()
    {
        lock (_gate)
        {
            foreach (var branch in _submitted)
                Enqueue(branch);
            _queued += _submitted.Count;
            _submitted.Clear();
        }
        EndCancelled(_running);
        EndCancelled(_queue);
        while (_cache.UsedBytes > OwnBytes && _cache.Remote is null && _prefixes.DropOldest()) { }
        if (_remote is not { IsLost: true } || _remote.TryRestore())
            Run();
        Publish();
        return _queue.Count + _running.Count > 0;
    }

    private void Run()
    {
        Admit();
        lock (_gate)
        {
            // It must not look idle during the first step, nor its queue shorter or longer than it is.
            (_begun, _queued) = (Math.Max(0, _queued - _queue.Count), _queue.Count);
        }
        if (!Compose())
        {
            if (_queue.Count > 0)
                Thread.Sleep(BorrowingPause.Short);                       // for pages of others, as nothing runs
        }
        else if (TryCompute())
        {
            _counters = _counters with { Steps = _counters.Steps + 1,
                ComputedTokens = _counters.ComputedTokens + _step.Tokens };
            for (int part = 0; part < _parts.Count; part++)
                if (!IsLost(_parts[part].Branch))
                    TakeResult(_parts[part].Branch, _parts[part].Proposed, part);
        }
    }

    // False when what attention workers held is lost: everything that runs gives way then, to be computed again.
    private bool TryCompute()
    {
        try
        {
            _step.Run();
            return true;
        }
        catch (AttentionLostException e)
        {
            _remote!.Lose(e);
            while (_running.Count > 0)
                PreemptLast();
            while (_prefixes.DropOldest()) { }
            return false;
        }
    }

    /// <summary>What the running sequences keep now. To be called between two steps; takes time in proportion to the
    /// blocks of all running sequences.</summary>
    public SchedulerSnapshot Capture()
    {
        var filled = _running.Where(branch => _cache.Length(branch.Sequence) > 0).ToArray();
        return new SchedulerSnapshot(Counters,
            [.. filled.Select(branch => new RunningSequence(branch.Owner.Order, branch.Choice, branch.PromptTokens,
                _cache.Length(branch.Sequence), _cache.Map(branch.Sequence)))],
            _cache.CountPages([.. filled.Select(branch => branch.Sequence)]));
    }

    /// <summary>Gives the pages of all kept prefixes back.</summary>
    public void ForgetPrefixes()
    {
        while (_prefixes.DropOldest()) { }
        Publish();
    }

    /// <summary>Releases the cache and the activations; requests that are not finished get no more tokens.</summary>
    public void Dispose()
    {
        _step.Dispose();
        _cache.Dispose();
        _remote?.Dispose();
    }

    private static void Insert(List<Branch> branches, Branch branch)
    {
        int at = branches.Count;
        while (at > 0 && branch.IsBefore(branches[at - 1]))
            at--;
        branches.Insert(at, branch);
    }

    private void Publish()
    {
        long dense = 0;
        foreach (var branch in _running)
            dense += _demand.DenseBytes(_cache.Length(branch.Sequence));
        lock (_gate)
        {
            (_queued, _begun) = (_queue.Count, 0);
            _ownWait = _queue.Exists(branch => branch.FarBytes.Count == 0);
            _published = _counters with
            {
                Running = _running.Count,
                Prefixes = _prefixes.Count,
                UsedPages = _cache.UsedPages,
                FreePages = _cache.FreePages,
                UsedBytes = _cache.UsedBytes,
                FreeBytes = _cache.ReservedBytes - _cache.UsedBytes,
                MaxBytes = _options.MaxBytes > long.MaxValue / _cache.Workers ? long.MaxValue
                    : _options.MaxBytes * _cache.Workers,
                DenseBytes = dense,
            };
        }
    }
}

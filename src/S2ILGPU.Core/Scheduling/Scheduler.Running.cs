using S2ILGPU.Grammars;
using S2ILGPU.Inference;

namespace S2ILGPU.Scheduling;

public sealed partial class Scheduler
{
    private const long TurnLength = 64;                                           // texts

    private long _turn;                                                           // of what begins

    private double CommittableBytes => OwnBytes * _options.Overcommit;

    // A text stands a turn behind the one before it of its group, so that the first ones of others come between. As
    // turns go on with every text that begins, no more than TurnLength of later groups do for each of its own ahead.
    private void Enqueue(Branch branch)
    {
        var first = _queue.Find(other => other.Priority == branch.Priority && other.FarBytes.Count == 0);
        branch.Turn = Math.Min(_turn, first?.Turn ?? _turn);
        foreach (var texts in (List<Branch>[])[_queue, _running])
            if (texts.FindLast(branch.IsAlike) is { } last)
                branch.Turn = Math.Max(branch.Turn, last.Turn + TurnLength * last.Sequences);
        Insert(_queue, branch);
    }

    private void EndCancelled(List<Branch> branches)
    {
        for (int i = branches.Count - 1; i >= 0; i--)
        {
            var (owner, branch) = (branches[i].Owner, branches[i]);
            bool isLate = owner.Request.Timeout is { } timeout
                && _time.GetElapsedTime(owner.StartTimestamp) > timeout;
            bool isCancelled = owner.IsCancelled || (branch.FarBytes.Count > 0 && Credit is null);
            if (!isCancelled && !isLate)
                continue;
            branches.RemoveAt(i);
            Leave(branch);
            var reason = isCancelled ? FinishReason.Cancelled : FinishReason.TimedOut;
            foreach (var child in branch.Children)
                Tell(child, new GeneratedToken(child.Choice, null, child.Finish(), null, [], reason));
            Tell(branch, new GeneratedToken(branch.Choice, null, branch.Finish(), null, [], reason));
        }
    }

    private void Admit()
    {
        // One that waits for pages of others holds up none of those behind it.
        for (int next = 0; next < _queue.Count;)
        {
            var branch = _queue[next];
            bool isOwnRoomLent = IsOwnRoomLent(branch);
            if (isOwnRoomLent && Credit?.GiveUp() == true)
                _pause.BeginAfterConflict();
            if (isOwnRoomLent || !MayBorrow(branch))
            {
                next++;
                continue;
            }
            if (CountStaying(branch) < 0)
                return;
            if (!TryBorrow(branch, out var far))
            {
                next++;
                continue;
            }
            if (!TryCommit(branch))                                       // pages were lent meanwhile
            {
                far?.Dispose();
                _pause.BeginAfterConflict();
                return;
            }
            if (far is not null)
                _pause.ForgetConflicts();
            _queue.Remove(branch);
            branch.Sequence = _freeSequences.Pop();
            foreach (var child in branch.Children)
                child.Sequence = _freeSequences.Pop();
            branch.Owner.Begin(_time.GetElapsedTime(branch.Owner.StartTimestamp));
            Insert(_running, branch);
            _turn = Math.Max(_turn + 1, branch.Turn);
            if (_prefixes.Find(branch.TokenSpan, branch.PromptTokens - 1) is { } prefix)
            {
                _cache.Restore(prefix, branch.Sequence);
                _counters = _counters with { PrefixHits = _counters.PrefixHits + 1,
                    PrefixTokens = _counters.PrefixTokens + prefix.Tokens };
            }
            if (far is not null)
                _cache.Borrow(branch.Sequence, far);
        }
    }

    // Takes sequences and pages for a branch, after running ones of lower priorities gave way where that helps; both at
    // once for those who lend.
    private bool TryCommit(Branch branch)
    {
        lock (_gate)
        {
            int stay = CountStaying(branch);
            if (stay < 0)
                return false;
            while (_running.Count > stay)
                PreemptLast();
            Commit(branch.Bytes * branch.Sequences);
            return true;
        }
    }

    private void Commit(long bytes)
    {
        lock (_gate)
        {
            _committedBytes += bytes;
            _neededBytes = _committedBytes;
        }
    }

    // How many of the running ones may stay for a branch to begin, those of lower priorities leaving where that helps;
    // -1 where it cannot. Where pages ran out, nothing new begins until something ends.
    private int CountStaying(Branch branch)
    {
        int sequences = _freeSequences.Count, stay = _running.Count;
        double bytes = _committedBytes;
        bool isFull = _ranOutOfPages;
        if ((double)branch.Bytes * branch.Sequences > OwnBytes)
            return -1;                                                    // until lent pages come back
        while (sequences < branch.Sequences || bytes + (double)branch.Bytes * branch.Sequences > CommittableBytes
            || (isFull && stay > 0))
        {
            if (stay == 0 || _running[stay - 1].Priority >= branch.Priority)
                return -1;
            var victim = _running[--stay];
            sequences += victim.Sequences;
            bytes -= (double)victim.Bytes * victim.Sequences;
            isFull = false;
        }
        return stay;
    }

    private void PreemptLast()
    {
        var branch = _running[^1];
        _running.RemoveAt(_running.Count - 1);
        GiveWay(branch);
    }

    private void GiveWay(Branch branch)
    {
        Leave(branch);
        branch.Rest();
        Insert(_queue, branch);
        _counters = _counters with { Preemptions = _counters.Preemptions + 1 };
    }

    // Gives back what a branch holds while it runs.
    private void Leave(Branch branch)
    {
        if (branch.Sequence < 0)
            return;
        Commit(-branch.Bytes * branch.Sequences);
        _ranOutOfPages = false;
        Free(branch);
        foreach (var child in branch.Children)
            Free(child);
    }

    private void Free(Branch branch)
    {
        _cache.Clear(branch.Sequence);
        _freeSequences.Push(branch.Sequence);
        branch.Sequence = -1;
    }

    // Fills the step. False when nothing runs.
    private bool Compose()
    {
        while (true)
        {
            _step.Begin();
            _parts.Clear();
            int room = RoomForProposals();
            foreach (var branch in _running)
                if (_cache.Length(branch.Sequence) >= branch.PromptTokens)
                    room -= AddNext(branch, room);
            foreach (var branch in _running)
                if (_cache.Length(branch.Sequence) is var length && length < branch.PromptTokens)
                    AddPart(branch, Math.Min(branch.PromptTokens - length,
                        _options.ChunkTokens - length % _options.ChunkTokens));
            if (_parts.Count == 0)
                return false;
            if (_step.Fits(OwnBytes))
                return true;
            if (_prefixes.DropOldest())
                continue;
            if (_running.Count == 1)
                throw new InvalidOperationException("one request needs more pages than it was admitted for");
            PreemptLast();
            _ranOutOfPages = true;
        }
    }

    // Tokens of a step beyond one of each sequence that generates and, where prompts wait, a chunk of these.
    private int RoomForProposals()
    {
        int generating = 0;
        foreach (var branch in _running)
            generating += _cache.Length(branch.Sequence) >= branch.PromptTokens ? 1 : 0;
        return _options.StepTokens - generating - (generating < _running.Count ? _options.ChunkTokens : 0);
    }

    // The next token of a sequence that generates, and what is proposed after it. Returns how much that is.
    private int AddNext(Branch branch, int room)
    {
        int most = Math.Min(Math.Min(room, _options.Speculate), Math.Min(_cache.MostProposed(branch.Sequence),
            branch.Owner.Request.MaxTokens - branch.GeneratedTokens - 1));
        // One that gave way has its tokens already.
        if (_options.Speculate == 0 || _cache.Length(branch.Sequence) + 1 < branch.Tokens.Count)
        {
            AddPart(branch, 1);
            return 0;
        }
        var tokens = branch.Speculation.Propose(branch.TokenSpan, most, _running.Count);
        _step.Add(branch.Sequence, tokens, tokens.Length);
        _parts.Add(new Part(branch, tokens.Length - 1));
        return tokens.Length - 1;
    }

    private void AddPart(Branch branch, int count)
    {
        if (_step.Tokens + count > _options.StepTokens)
            return;
        int length = _cache.Length(branch.Sequence);
        branch.Speculation.ProposeNothing();
        _step.Add(branch.Sequence, branch.TokenSpan.Slice(length, count),
            length + count == branch.Tokens.Count ? 1 : 0);
        _parts.Add(new Part(branch, 0));
    }

    private void TakeResult(Branch branch, int proposed, int part)
    {
        int length = _cache.Length(branch.Sequence) - proposed;
        if (_step.Sampled(part) is { } sample)
            branch.Sample = (branch.Sample ?? default).Join(sample);
        if (length <= branch.PromptTokens && _cache.Far(branch.Sequence) is null)
            _prefixes.Keep(branch.TokenSpan[..length], branch.Sequence);
        if (length < branch.Tokens.Count)
            return;
        var logits = _step.Logits(part)[..VocabularySize];
        foreach (var child in branch.Children)
        {
            _cache.Fork(branch.Sequence, child.Sequence);
            (child.Sample, child.Turn) = (branch.Sample, branch.Turn + TurnLength * child.Choice);
            Insert(_running, child);
        }
        Branch[] children = [.. branch.Children];
        branch.Children.Clear();
        Sample(branch, logits);
        foreach (var child in children)
            Sample(child, logits);
        TakeProposed(branch, proposed, part);
    }

    // Draws on while what was drawn is what was proposed, then takes the rest of the proposal back.
    private void TakeProposed(Branch branch, int proposed, int part)
    {
        int accepted = 0;
        while (branch.Sequence >= 0 && branch.Speculation.Accepts(accepted, branch.Tokens[^1]))
            Sample(branch, _step.Logits(part, ++accepted)[..VocabularySize]);
        if (proposed > 0 && branch.Sequence >= 0)
            _cache.TakeBack(branch.Sequence, branch.Tokens.Count - 1);
        _counters = _counters with
        {
            Proposals = _counters.Proposals + (proposed > 0 ? 1 : 0),
            ProposedTokens = _counters.ProposedTokens + proposed,
            AcceptedTokens = _counters.AcceptedTokens + accepted,
        };
    }

    private void Sample(Branch branch, ReadOnlySpan<float> logits)
    {
        var request = branch.Owner.Request;
        int token;
        try
        {
            token = branch.Draw(logits);
        }
        catch (AmbiguousGrammarException e)
        {
            End(branch, new GeneratedToken(branch.Choice, null, branch.Finish(), null, [], FinishReason.Failed)
            {
                Failure = e.Message,
            });
            return;
        }
        _counters = _counters with { GeneratedTokens = _counters.GeneratedTokens + 1 };
        if (request.EndTokens.Contains(token))
        {
            End(branch, new GeneratedToken(branch.Choice, null, branch.Finish(), null, [], FinishReason.Stop));
            return;
        }
        string text = branch.Append(token);
        float? logProbability = null;
        TokenLogProbability[] top = [];
        if (request.TopLogProbabilities is { } count)
            (logProbability, top) = (TokenLogProbability.Of(logits, token).LogProbability,
                TokenLogProbability.Top(logits, count));
        FinishReason? finish = branch.IsStopped ? FinishReason.Stop
            : branch.GeneratedTokens == request.MaxTokens || branch.Tokens.Count > _cache.MaxTokens
            ? FinishReason.Length : null;
        if (finish is null)
            request.OnToken?.Invoke(new GeneratedToken(branch.Choice, token, text, logProbability, top, null));
        else
            End(branch, new GeneratedToken(branch.Choice, token, text + branch.Finish(), logProbability, top, finish));
    }

    private void End(Branch branch, GeneratedToken last)
    {
        _running.Remove(branch);
        Leave(branch);
        Tell(branch, last);
    }

    private void Tell(Branch branch, GeneratedToken last)
    {
        branch.Owner.EndChoice();
        _counters = _counters with { FinishedChoices = _counters.FinishedChoices + 1 };
        branch.Owner.Request.OnToken?.Invoke(last with { Sample = branch.Sample });
    }

    // What a step computes for a branch: its tokens, the last of which may be proposed.
    private readonly record struct Part(Branch Branch, int Proposed);
}

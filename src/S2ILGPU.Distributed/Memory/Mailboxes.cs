using S2ILGPU.Collectives;

namespace S2ILGPU.Distributed.Memory;

/// <summary>Messages between threads of one process: whoever comes second, sender or receiver, copies.</summary>
/// <param name="ranks">Number of ranks.</param>
/// <param name="deadline">The longest that a rank waits for a message.</param>
internal sealed class Mailboxes(int ranks, TimeSpan deadline)
{
    private readonly object _lock = new();
    private readonly Dictionary<MailboxKey, Mailbox> _mailboxes = [];
    private readonly Dictionary<(int Parent, int Split, int Color), int> _groups = [];
    private readonly bool[] _hasEnded = new bool[ranks];
    private RankFailedException? _failure;

    /// <summary>The longest that a rank waits for a message.</summary>
    public TimeSpan Deadline => deadline;

    /// <summary>The number of a group that a group was split into.</summary>
    public int GroupOf(int parent, int split, int color)
    {
        lock (_lock)
        {
            if (!_groups.TryGetValue((parent, split, color), out int group))
                _groups[(parent, split, color)] = group = _groups.Count + 1;
            return group;
        }
    }

    /// <summary>Puts a message in or asks for one, and copies when both sides are there.</summary>
    public void Post(MailboxTransfer transfer)
    {
        MailboxTransfer? other;
        lock (_lock)
        {
            ThrowIfFailed();
            if (!_mailboxes.TryGetValue(transfer.Key, out var mailbox))
                _mailboxes[transfer.Key] = mailbox = new Mailbox([], []);
            var (own, others) = transfer.IsSend ? (mailbox.Sends, mailbox.Receives)
                : (mailbox.Receives, mailbox.Sends);
            if (!others.TryDequeue(out other))
            {
                own.Enqueue(transfer);
                return;
            }
            if (mailbox.Sends.Count + mailbox.Receives.Count == 0)
                _mailboxes.Remove(transfer.Key);
        }
        var (send, receive) = transfer.IsSend ? (transfer, other) : (other, transfer);
        if (send.Memory.Length != receive.Memory.Length)
            throw new InvalidOperationException($"rank {transfer.Key.From} sends {send.Memory.Length} bytes, rank "
                + $"{transfer.Key.To} expects {receive.Memory.Length}: they do not call the same operations");
        send.Memory.Span.CopyTo(receive.Memory.Span);
        lock (_lock)
        {
            send.IsDone = receive.IsDone = true;
            Monitor.PulseAll(_lock);
        }
    }

    /// <summary>Whether a message has been copied.</summary>
    public bool Poll(MailboxTransfer transfer)
    {
        lock (_lock)
        {
            if (!transfer.IsDone)
                ThrowIfFailed(transfer);
            return transfer.IsDone;
        }
    }

    /// <summary>Waits until a message has been copied.</summary>
    /// <exception cref="TimeoutException">The other rank did not come in time.</exception>
    public void Wait(MailboxTransfer transfer)
    {
        long end = Environment.TickCount64 + (long)deadline.TotalMilliseconds;
        lock (_lock)
            while (!transfer.IsDone)
            {
                ThrowIfFailed(transfer);
                long left = end - Environment.TickCount64;
                if (left <= 0)
                    throw new TimeoutException($"rank {transfer.Self} waited {deadline.TotalSeconds:0.#} s for rank "
                        + $"{transfer.Peer}");
                Monitor.Wait(_lock, TimeSpan.FromMilliseconds(Math.Min(left, int.MaxValue)));
            }
    }

    /// <summary>Ends all waits because a rank has failed; the first failure counts.</summary>
    public void Fail(int rank, Exception exception)
    {
        lock (_lock)
        {
            _failure ??= exception as RankFailedException ?? new RankFailedException(rank, exception.Message,
                exception);
            Monitor.PulseAll(_lock);
        }
    }

    /// <summary>Ends all waits for a rank that sends nothing any more.</summary>
    public void End(int rank)
    {
        lock (_lock)
        {
            _hasEnded[rank] = true;
            Monitor.PulseAll(_lock);
        }
    }

    /// <summary>The first failure; null for none.</summary>
    public RankFailedException? Failure
    {
        get
        {
            lock (_lock)
                return _failure;
        }
    }

    /// <summary>Ends the caller when a rank has failed.</summary>
    public void ThrowIfFailed()
    {
        if (Failure is { } failure)
            throw new RankFailedException(failure.Rank, failure.Reason, failure.InnerException);
    }

    private void ThrowIfFailed(MailboxTransfer transfer)
    {
        ThrowIfFailed();
        if (_hasEnded[transfer.Peer])
            throw new RankFailedException(transfer.Peer, "has ended, and a message of it is missing");
    }

    private readonly record struct Mailbox(Queue<MailboxTransfer> Sends, Queue<MailboxTransfer> Receives);
}

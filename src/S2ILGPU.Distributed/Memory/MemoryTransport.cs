using S2ILGPU.Distributed.Hosts;

namespace S2ILGPU.Distributed.Memory;

/// <summary>Messages between threads of this process.</summary>
/// <param name="mailboxes">Shared by all ranks.</param>
/// <param name="group">Number of the group.</param>
/// <param name="members">Its ranks, as ranks of the whole run.</param>
/// <param name="rank">This rank in the group.</param>
internal sealed class MemoryTransport(Mailboxes mailboxes, int group, int[] members, int rank) : ITransport
{
    private int _splits;

    /// <inheritdoc/>
    public string Name => "threads of one process";

    /// <inheritdoc/>
    public int Rank => rank;

    /// <inheritdoc/>
    public int Size => members.Length;

    /// <inheritdoc/>
    public TimeSpan Deadline => mailboxes.Deadline;

    /// <inheritdoc/>
    public void ThrowIfFailed() => mailboxes.ThrowIfFailed();

    /// <inheritdoc/>
    public ITransfer Send(HostMemory memory, long offsetBytes, int countBytes, int to, int tag) =>
        Post(new MailboxKey(group, members[rank], members[to], tag), new HostBytes(memory, offsetBytes, countBytes),
            isSend: true);

    /// <inheritdoc/>
    public ITransfer Receive(HostMemory memory, long offsetBytes, int countBytes, int from, int tag) =>
        Post(new MailboxKey(group, members[from], members[rank], tag), new HostBytes(memory, offsetBytes, countBytes),
            isSend: false);

    /// <inheritdoc/>
    public ITransport Split(int[] chosen, int color) =>
        new MemoryTransport(mailboxes, mailboxes.GroupOf(group, _splits++, color),
            [.. chosen.Select(member => members[member])], Array.IndexOf(chosen, rank));

    /// <inheritdoc/>
    public void Dispose()
    {
        // the mailboxes belong to all ranks
    }

    private MailboxTransfer Post(MailboxKey key, HostBytes memory, bool isSend)
    {
        var transfer = new MailboxTransfer(mailboxes, key, memory, isSend);
        mailboxes.Post(transfer);
        return transfer;
    }
}

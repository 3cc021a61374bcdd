using S2ILGPU.Distributed.Hosts;

namespace S2ILGPU.Distributed.Memory;

/// <summary>Which messages fit each other; ranks are those of the whole run.</summary>
internal readonly record struct MailboxKey(int Group, int From, int To, int Tag);

/// <summary>Bytes of a host memory; keeps it alive.</summary>
internal readonly record struct HostBytes(HostMemory Memory, long Offset, int Length)
{
    /// <summary>The bytes.</summary>
    public Span<byte> Span => Memory.Span<byte>(Offset, Length);
}

/// <summary>One side of a message between threads.</summary>
/// <param name="mailboxes">Where it waits.</param>
/// <param name="key">Which messages fit.</param>
/// <param name="memory">What is read or written.</param>
/// <param name="isSend">Whether this is the sender's side.</param>
internal sealed class MailboxTransfer(Mailboxes mailboxes, MailboxKey key, HostBytes memory, bool isSend) : ITransfer
{
    /// <summary>Which messages fit.</summary>
    public MailboxKey Key => key;

    /// <summary>What is read or written.</summary>
    public HostBytes Memory => memory;

    /// <summary>Whether this is the sender's side.</summary>
    public bool IsSend => isSend;

    /// <summary>The rank of this side.</summary>
    public int Self => isSend ? key.From : key.To;

    /// <summary>The rank of the other side.</summary>
    public int Peer => isSend ? key.To : key.From;

    /// <summary>Whether the bytes were copied; under the lock of the mailboxes.</summary>
    public bool IsDone { get; set; }

    /// <inheritdoc/>
    public bool Poll() => mailboxes.Poll(this);

    /// <inheritdoc/>
    public void Wait() => mailboxes.Wait(this);
}

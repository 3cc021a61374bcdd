using System.Net;

namespace S2ILGPU.Cluster;

/// <summary>How an instance joins a cluster. An immutable value; defaults here.</summary>
public sealed record ClusterOptions
{
    /// <summary>Name of the cluster; instances of one name, model and configuration form one service.</summary>
    public required string Name { get; init; }

    /// <summary>Connection string of the Redis-compatible store that knows the members, as in
    /// <c>10.0.0.2:6379,password=...</c>. Null for instances of this machine, which need no store: the first one
    /// listens on <see cref="Port"/> and knows the others.</summary>
    public string? Store { get; init; }

    /// <summary>The port for the other instances; 0 for any that is free. Without a store it is the first instance's,
    /// and later ones take free ports.</summary>
    public int Port { get; init; } = 11111;

    /// <summary>The address at which other instances reach this one. Null: loopback without a store, and with a store
    /// the first address of this machine's name that other machines reach.</summary>
    public IPAddress? Address { get; init; }

    /// <summary>The address, found where none is named.</summary>
    /// <exception cref="IOException">This machine's name has none.</exception>
    internal IPAddress OwnAddress =>
        Address ?? (Store is null ? IPAddress.Loopback : Membership.OwnAddress.Find());

    /// <summary>How long a call to another instance may take.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>How long an instance is waited for before a request is placed: one that does not say how loaded it is
    /// gets none.</summary>
    public TimeSpan StatusTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>An instance that does not answer for so long is lost, and what it ran goes on elsewhere; a sequence
    /// whose tokens are not asked for so long ends.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The most bytes of pages that are lent to instances whose requests need more than they have; 0 for none.
    /// Null for all that <see cref="Scheduling.SchedulerOptions.MaxBytes"/> leaves free, and for none without such a
    /// limit.</summary>
    public long? LentBytes { get; init; }

    /// <summary>How long joining may take; for some seconds after another instance was killed it has to wait.</summary>
    public TimeSpan JoinTimeout { get; init; } = TimeSpan.FromSeconds(60);

    internal ClusterOptions Validate()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(Name);
        if (Port is < 0 or > 65535)
            throw new ArgumentException($"the port of a cluster is 0 to 65535, got {Port}");
        if (Store is null && Port == 0)
            throw new ArgumentException("without a store the port of the first instance must be known, got 0");
        if (LentBytes < 0)
            throw new ArgumentException($"{nameof(LentBytes)} must not be negative, got {LentBytes}");
        foreach (var time in (TimeSpan[])[CallTimeout, StatusTimeout, Lease, JoinTimeout])
            if (time <= TimeSpan.Zero)
                throw new ArgumentException($"times of a cluster are above 0, got {time}");
        return this;
    }
}

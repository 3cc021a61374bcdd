using System.Net;
using System.Net.Sockets;

namespace S2ILGPU.AttentionWorkers;

/// <summary>Processes that hold the key/value cache and run attention for a scheduler, whose own process keeps the
/// weights, projections and feed-forward blocks (Lamina). An immutable value; defaults here.</summary>
/// <seealso href="https://arxiv.org/abs/2405.01814">Lamina, section 4</seealso>
public sealed record AttentionWorkerOptions
{
    /// <summary>HOST:PORT of each worker, at least one. The key/value heads are cut over them in this order, so they
    /// must divide.</summary>
    public required IReadOnlyList<string> Addresses { get; init; }

    /// <summary>HOST:PORT of workers that take the place of lost ones that do not come back.</summary>
    public IReadOnlyList<string> Spares { get; init; } = [];

    /// <summary>Whether attention over earlier tokens begins when the queries arrive, before there are keys and values.
    /// It is merged with the rest then, so that numbers differ by rounding from those of one process; without, the CPU
    /// engine gives the same bits.</summary>
    public bool Overlap { get; init; } = true;

    /// <summary>How long an answer of a worker may take before it counts as lost.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long to try to reach lost workers and spares, while requests wait.</summary>
    public TimeSpan RestoreTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Told in one line when a worker is lost and when its cache is about to be computed again; null for no
    /// one. Called on the scheduler's thread.</summary>
    public Action<string>? Report { get; init; }

    internal AttentionWorkerOptions Validate()
    {
        if (Addresses.Count == 0)
            throw new ArgumentException($"{nameof(Addresses)} must name at least one attention worker");
        string[] all = [.. Addresses, .. Spares];
        foreach (string address in all)
            Split(address);
        if (all.GroupBy(address => address).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new ArgumentException($"attention worker {twice.Key} is named {twice.Count()} times");
        if (Timeout <= TimeSpan.Zero || Timeout.TotalMilliseconds > int.MaxValue)
            throw new ArgumentException($"{nameof(Timeout)} must be above 0 and below 24 days, got {Timeout}");
        if (RestoreTimeout < TimeSpan.Zero)
            throw new ArgumentException($"{nameof(RestoreTimeout)} must not be negative, got {RestoreTimeout}");
        return this;
    }

    /// <summary>The end point of HOST:PORT.</summary>
    /// <exception cref="ArgumentException">It is not that.</exception>
    /// <exception cref="SocketException">The name is not known.</exception>
    internal static IPEndPoint Resolve(string address)
    {
        var (host, port) = Split(address);
        // Workers listen on an IPv4 address unless they are told another one.
        return new IPEndPoint(IPAddress.TryParse(host, out var ip) ? ip
            : Dns.GetHostAddresses(host).MinBy(found => found.AddressFamily != AddressFamily.InterNetwork)!, port);
    }

    private static (string Host, int Port) Split(string address)
    {
        int colon = address.LastIndexOf(':');
        return colon > 0 && ushort.TryParse(address.AsSpan(colon + 1), out ushort port)
            ? (address[..colon].Trim('[', ']'), port)
            : throw new ArgumentException($"an attention worker is named HOST:PORT, got '{address}'");
    }
}

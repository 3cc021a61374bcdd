using S2ILGPU.Cli.Simulation.Tracing;

namespace S2ILGPU.Cli.Simulation;

/// <summary>One exchange of a group: who has begun it, and who has its result.</summary>
/// <param name="size">Ranks of the group.</param>
/// <param name="simulated">Those of them that are simulated.</param>
/// <param name="transport">How its messages travel.</param>
internal sealed class Meeting(int size, int simulated, TransportCost transport)
{
    private readonly Dictionary<RankPlayer, double> _members = [];
    private readonly HashSet<RankPlayer> _arrived = [];

    /// <summary>How its messages travel.</summary>
    public TransportCost Transport => transport;

    /// <summary>The ranks that have begun, with the seconds that the exchange takes each.</summary>
    public IReadOnlyDictionary<RankPlayer, double> Members => _members;

    /// <summary>A rank begins.</summary>
    /// <returns>Whether it is the last one.</returns>
    public bool Join(RankPlayer rank, Begin begin)
    {
        _members.Add(rank, transport.Seconds(begin, size));
        return _members.Count == simulated;
    }

    /// <summary>What goes on beside computing is done.</summary>
    public void Arrive(RankPlayer rank) => _arrived.Add(rank);

    /// <summary>Whether that is done.</summary>
    public bool HasArrived(RankPlayer rank) => _arrived.Contains(rank);

    /// <summary>Seconds that the exchange takes from the processor of a rank.</summary>
    public double ProcessorSeconds(RankPlayer rank) => (1 - transport.Overlap) * _members[rank];
}

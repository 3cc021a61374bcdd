using S2ILGPU.Collectives;
using S2ILGPU.Distributed.Hosts;
using S2ILGPU.Engines;

namespace S2ILGPU.Distributed;

/// <summary>A rank's place among all ranks of a run.</summary>
/// <remarks>Belongs to one thread.</remarks>
public sealed class RankConnection
{
    private readonly ITransport _transport;

    internal RankConnection(ITransport transport) => _transport = transport;

    /// <summary>What carries the messages, as in <c>Open MPI 4.1.4</c>.</summary>
    public string Transport => _transport.Name;

    /// <summary>Number of this rank, from 0.</summary>
    public int Rank => _transport.Rank;

    /// <summary>Number of ranks.</summary>
    public int Size => _transport.Size;

    /// <summary>What the ranks do together with the tensors of an engine; once per rank.</summary>
    /// <param name="engine">The engine of this rank; not disposed.</param>
    /// <returns>The collective over all ranks; the caller disposes it.</returns>
    public ICollective CreateCollective(IEngine engine)
    {
        ArgumentNullException.ThrowIfNull(engine);
        return new HostCollective(engine, _transport);
    }
}

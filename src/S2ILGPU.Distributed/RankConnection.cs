using S2ILGPU.Collectives;
using S2ILGPU.Distributed.Hosts;
using S2ILGPU.Distributed.Nccl;
using S2ILGPU.Engines;

namespace S2ILGPU.Distributed;

/// <summary>A rank's place among all ranks of a run.</summary>
/// <remarks>Belongs to one thread.</remarks>
public sealed class RankConnection
{
    private readonly ITransport _transport;
    private string? _nccl;

    internal RankConnection(ITransport transport) => _transport = transport;

    /// <summary>What carries messages and, once there is a collective, tensors: as in <c>Open MPI v4.1.4</c>, or
    /// <c>NCCL 2.21.5 between devices, Open MPI v4.1.4</c>.</summary>
    public string Transport => _nccl is null ? _transport.Name : $"{_nccl} between devices, {_transport.Name}";

    /// <summary>Why ranks with CUDA devices exchange tensors through the host, one plain sentence with what would
    /// change it; null where they do not, or before there is a collective.</summary>
    public string? Note { get; private set; }

    /// <summary>Number of this rank, from 0.</summary>
    public int Rank => _transport.Rank;

    /// <summary>Number of ranks.</summary>
    public int Size => _transport.Size;

    /// <summary>What the ranks do together with the tensors of an engine; once per rank, on every rank.</summary>
    /// <remarks>Tensors go from device to device by NCCL where every rank has a CUDA device of its own and the library
    /// (<c>libnccl.so.2</c>, or what <c>S2_NCCL_LIBRARY</c> names; <c>off</c> for none), and through the host
    /// otherwise. The bits are the same.</remarks>
    /// <param name="engine">The engine of this rank; not disposed.</param>
    /// <returns>The collective over all ranks; the caller disposes it.</returns>
    public ICollective CreateCollective(IEngine engine)
    {
        ArgumentNullException.ThrowIfNull(engine);
        return CreateCollective(engine, DeviceKind.Cuda, () => NcclLibrary.Load(NcclLibrary.Names));
    }

    /// <inheritdoc cref="CreateCollective(IEngine)"/>
    /// <param name="engine">The engine of this rank; not disposed.</param>
    /// <param name="kind">The devices that NCCL works on.</param>
    /// <param name="load">Loads NCCL.</param>
    internal ICollective CreateCollective(IEngine engine, DeviceKind kind, Func<NcclLibrary> load)
    {
        var choice = NcclChoice.Make(new HostCollective(engine, _transport), kind, load);
        var host = new HostCollective(engine, _transport); // has sent nothing yet
        (_nccl, Note) = (choice.Library?.Version, choice.Note);
        return choice.Library is { } library ? new NcclCollective(library, host) : host;
    }

    /// <summary>The ranks as a transport.</summary>
    internal ITransport Messages => _transport;
}

using S2ILGPU.Collectives;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Distributed.Hosts;

/// <summary>Collectives over messages between host memories, for engines of any kind: tensors are downloaded when an
/// operation begins and uploaded when it ends.</summary>
/// <remarks>Everything is an exchange in which each rank sends a range to each other rank. A sum is an exchange of
/// parts, the sum of the own part in the order of the ranks, and an exchange of the sums: as many bytes as any
/// all-reduce, and the same bits on every transport.</remarks>
internal sealed partial class HostCollective : ICollective
{
    // Tags of messages from Send are below; operations take turns above, so that those under way keep apart.
    private const int FirstTag = CollectiveArguments.Tags, Tags = (1 << 14) - 1;

    private readonly IEngine _engine;
    private readonly ITransport _transport;
    private readonly int _messageBytes;
    private readonly HostMemoryPool _pool;
    private readonly HostTensors _tensors;
    private readonly bool _ownsTransport;
    private int _operations;

    /// <summary>Joins a group.</summary>
    /// <param name="engine">The engine of this rank's tensors.</param>
    /// <param name="transport">The group; not disposed: it belongs to who runs the ranks.</param>
    /// <param name="messageBytes">The most bytes of a message: transports count in 32 bits.</param>
    public HostCollective(IEngine engine, ITransport transport, int messageBytes = 1 << 30)
        : this(engine, transport, messageBytes, new HostMemoryPool())
    {
    }

    private HostCollective(IEngine engine, ITransport transport, int messageBytes, HostMemoryPool pool,
        bool ownsTransport = false)
    {
        _ownsTransport = ownsTransport;
        (_engine, _transport, _messageBytes, _pool) = (engine, transport, messageBytes, pool);
        _tensors = new HostTensors(engine, pool);
    }

    /// <summary>The engine of this rank's tensors.</summary>
    public IEngine Engine => _engine;

    /// <summary>What carries the messages.</summary>
    public ITransport Transport => _transport;

    /// <inheritdoc/>
    public int Rank => _transport.Rank;

    /// <inheritdoc/>
    public int Size => _transport.Size;

    /// <inheritdoc/>
    public long SentBytes { get; private set; }

    /// <inheritdoc/>
    public Pending AllReduce(Tensor x)
    {
        CollectiveArguments.CheckTensor(nameof(AllReduce), nameof(x), x);
        return new HostPending(AllReduceSteps(x, NextTag()));
    }

    /// <inheritdoc/>
    public Pending AllGather(Tensor part, Tensor all)
    {
        CollectiveArguments.CheckParts(nameof(AllGather), part, all, Size);
        return new HostPending(AllGatherSteps(part, all, NextTag()));
    }

    /// <inheritdoc/>
    public Pending ReduceScatter(Tensor all, Tensor part)
    {
        CollectiveArguments.CheckParts(nameof(ReduceScatter), part, all, Size);
        return new HostPending(ReduceScatterSteps(all, part, NextTag()));
    }

    /// <inheritdoc/>
    public Pending AllToAll(Tensor send, ReadOnlySpan<int> sendCounts, Tensor receive,
        ReadOnlySpan<int> receiveCounts)
    {
        var (outgoing, incoming) = CollectiveArguments.CheckExchange(nameof(AllToAll), send, sendCounts, receive,
            receiveCounts, Size);
        return new HostPending(AllToAllSteps(send, outgoing, receive, incoming, NextTag()));
    }

    /// <inheritdoc/>
    public Pending Broadcast(Tensor x, int root)
    {
        CollectiveArguments.CheckTensor(nameof(Broadcast), nameof(x), x);
        CollectiveArguments.CheckRank(nameof(Broadcast), nameof(root), root, Size);
        return new HostPending(BroadcastSteps(x, root, NextTag()));
    }

    /// <inheritdoc/>
    public Pending Send(Tensor x, int to, int tag)
    {
        CollectiveArguments.CheckTensor(nameof(Send), nameof(x), x);
        CollectiveArguments.CheckRank(nameof(Send), nameof(to), to, Size, Rank);
        CollectiveArguments.CheckTag(nameof(Send), tag);
        return new HostPending(SendSteps(x, to, tag));
    }

    /// <inheritdoc/>
    public Pending Receive(Tensor x, int from, int tag)
    {
        CollectiveArguments.CheckTensor(nameof(Receive), nameof(x), x);
        CollectiveArguments.CheckRank(nameof(Receive), nameof(from), from, Size, Rank);
        CollectiveArguments.CheckTag(nameof(Receive), tag);
        return new HostPending(ReceiveSteps(x, from, tag));
    }

    /// <inheritdoc/>
    public ICollective Split(int color, int key) => SplitHost(color, key);

    /// <inheritdoc cref="Split"/>
    public HostCollective SplitHost(int color, int key)
    {
        CollectiveArguments.CheckColor(nameof(Split), color);
        using Tensor own = _engine.FromArray([color, key]),
            all = _engine.Allocate(new Shape(2 * Size), ElementType.Int32);
        AllGather(own, all).Wait();
        int[] values = _engine.ToIntArray(all);
        int[] members = [.. Enumerable.Range(0, Size).Where(rank => values[2 * rank] == color)
            .OrderBy(rank => values[2 * rank + 1]).ThenBy(rank => rank)];
        return new HostCollective(_engine, _transport.Split(members, color), _messageBytes, _pool,
            ownsTransport: true);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_ownsTransport)
            _transport.Dispose();
    }

    private int NextTag() => FirstTag + _operations++ % Tags;
}

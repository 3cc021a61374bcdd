using S2ILGPU.Collectives;
using S2ILGPU.Distributed.Hosts;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Distributed.Nccl;

/// <summary>Collectives between the memories of devices. An operation is queued on the device's stream as a whole when
/// it is called; nothing is copied to the host.</summary>
/// <remarks>
/// <para>NCCL moves elements and never adds them: its reductions take an order of their own. A sum is an exchange of
/// parts, the sum of the own part in the order of the ranks by the engine, and a gathering of the sums.</para>
/// <para>Through the host go: sums of Int32, which engines do not add; messages with tags, which NCCL does not know;
/// and what is needed to form groups.</para>
/// <para>One stream means one order: ranks that call operations of several groups call them in one order.</para>
/// </remarks>
internal sealed class NcclCollective : ICollective
{
    private readonly NcclLibrary _library;
    private readonly IEngine _engine;
    private readonly IDeviceMemory _memory;
    private readonly HostCollective _host;
    private readonly NcclCommunicator _communicator;
    private long _sentBytes;

    /// <summary>Joins a group; every rank of it calls it, and waits.</summary>
    /// <param name="library">NCCL.</param>
    /// <param name="host">The same group on the host, of an engine whose memory has addresses; disposed with
    /// this.</param>
    public NcclCollective(NcclLibrary library, HostCollective host)
    {
        (_library, _engine, _memory, _host) = (library, host.Engine, host.Engine.DeviceMemory!, host);
        using var id = _engine.FromArray(Rank == 0 ? library.NewId().ToArray() : new int[NcclUniqueId.Words]);
        host.Broadcast(id, 0).Wait();
        _sentBytes = -host.SentBytes; // the name is no part of what the group does
        _communicator = new NcclCommunicator(library, _memory, host.Transport,
            NcclUniqueId.Of(_engine.ToIntArray(id)));
    }

    /// <summary>The same ranks through the host.</summary>
    public HostCollective Host => _host;

    /// <inheritdoc/>
    public int Rank => _host.Rank;

    /// <inheritdoc/>
    public int Size => _host.Size;

    /// <inheritdoc/>
    public long SentBytes => _sentBytes + _host.SentBytes;

    /// <inheritdoc/>
    public Pending AllReduce(Tensor x)
    {
        CollectiveArguments.CheckTensor(nameof(AllReduce), nameof(x), x);
        if (x.ElementType == ElementType.Int32)
            return _host.AllReduce(x);
        var ranges = HostRange.Cut(x.Count, Size);
        var own = ranges[Rank];
        using Tensor values = Flat(x),
            parts = _engine.Allocate(new Shape(checked((int)(own.Count * Size))), x.ElementType),
            sum = values.Slice(0, (int)own.Start, (int)own.Count);
        Exchange(values, ranges, parts, HostRange.Equal(own.Count, Size));
        DeviceRankSum.Run(_engine, parts, Size, sum);
        Gather(values, ranges);
        return _communicator.Pending();
    }

    /// <inheritdoc/>
    public Pending AllGather(Tensor part, Tensor all)
    {
        CollectiveArguments.CheckParts(nameof(AllGather), part, all, Size);
        Gather(part, 0, part.Count, all);
        return _communicator.Pending();
    }

    /// <inheritdoc/>
    public Pending ReduceScatter(Tensor all, Tensor part)
    {
        CollectiveArguments.CheckParts(nameof(ReduceScatter), part, all, Size);
        if (part.ElementType == ElementType.Int32)
            return _host.ReduceScatter(all, part);
        var ranges = HostRange.Equal(part.Count, Size);
        using Tensor values = Flat(all), sum = Flat(part), parts = _engine.Allocate(values.Shape, all.ElementType);
        Exchange(values, ranges, parts, ranges);
        DeviceRankSum.Run(_engine, parts, Size, sum);
        return _communicator.Pending();
    }

    /// <inheritdoc/>
    public Pending AllToAll(Tensor send, ReadOnlySpan<int> sendCounts, Tensor receive,
        ReadOnlySpan<int> receiveCounts)
    {
        var (outgoing, incoming) = CollectiveArguments.CheckExchange(nameof(AllToAll), send, sendCounts, receive,
            receiveCounts, Size);
        using Tensor from = Flat(send), into = Flat(receive);
        Exchange(from, outgoing, into, incoming);
        return _communicator.Pending();
    }

    /// <inheritdoc/>
    public Pending Broadcast(Tensor x, int root)
    {
        CollectiveArguments.CheckTensor(nameof(Broadcast), nameof(x), x);
        CollectiveArguments.CheckRank(nameof(Broadcast), nameof(root), root, Size);
        if (x.Count > 0)
            _communicator.Queue((library, group, stream) =>
                library.Broadcast(group, stream, _memory.AddressOf(x), x.Count, x.ElementType, root));
        if (Rank == root)
            _sentBytes += (Size - 1) * x.Count * x.ElementType.SizeBytes();
        return _communicator.Pending();
    }

    /// <inheritdoc/>
    public Pending Send(Tensor x, int to, int tag) => _host.Send(x, to, tag);

    /// <inheritdoc/>
    public Pending Receive(Tensor x, int from, int tag) => _host.Receive(x, from, tag);

    /// <inheritdoc/>
    // A name of its own for each group: NCCL's own splits came later than what is supported here.
    public ICollective Split(int color, int key) =>
        new NcclCollective(_library, _host.SplitHost(color, key));

    /// <inheritdoc/>
    public void Dispose()
    {
        _communicator.Dispose();
        _host.Dispose();
    }

    // A range to each other rank and a range from each, all at once; the own range is copied.
    private void Exchange(Tensor send, HostRange[] outgoing, Tensor receive, HostRange[] incoming)
    {
        var type = send.ElementType;
        _communicator.Queue((library, group, stream) =>
        {
            for (int step = 1; step < Size; step++)
            {
                int to = (Rank + step) % Size, from = (Rank + Size - step) % Size;
                if (outgoing[to].Count > 0)
                    library.Send(group, stream, At(send, outgoing[to].Start), outgoing[to].Count, type, to);
                if (incoming[from].Count > 0)
                    library.Receive(group, stream, At(receive, incoming[from].Start), incoming[from].Count, type,
                        from);
            }
        });
        _sentBytes += (outgoing.Sum(range => range.Count) - outgoing[Rank].Count) * type.SizeBytes();
        if (outgoing[Rank].Count == 0)
            return;
        using Tensor own = send.Slice(0, (int)outgoing[Rank].Start, (int)outgoing[Rank].Count),
            into = receive.Slice(0, (int)incoming[Rank].Start, (int)incoming[Rank].Count);
        _engine.Copy(own, into);
    }

    // The range of each rank on all of them, in place.
    private void Gather(Tensor values, HostRange[] ranges)
    {
        if (ranges.All(range => range.Count == ranges[0].Count))
        {
            Gather(values, ranges[Rank].Start, ranges[Rank].Count, values);
            return;
        }
        _communicator.Queue((library, group, stream) =>
        {
            for (int rank = 0; rank < Size; rank++)
                if (ranges[rank].Count > 0)
                    library.Broadcast(group, stream, At(values, ranges[rank].Start), ranges[rank].Count,
                        values.ElementType, rank);
        });
        _sentBytes += (Size - 1) * ranges[Rank].Count * values.ElementType.SizeBytes();
    }

    private void Gather(Tensor from, long start, long count, Tensor into)
    {
        if (count == 0)
            return;
        _communicator.Queue((library, group, stream) => library.AllGather(group, stream, At(from, start),
            _memory.AddressOf(into), count, from.ElementType));
        _sentBytes += (Size - 1) * count * from.ElementType.SizeBytes();
    }

    private nint At(Tensor tensor, long element) =>
        _memory.AddressOf(tensor) + checked((nint)(element * tensor.ElementType.SizeBytes()));

    private static Tensor Flat(Tensor tensor) => tensor.Reshape(new Shape((int)tensor.Count));
}

using S2ILGPU.Tensors;

namespace S2ILGPU.Distributed.Hosts;

internal sealed partial class HostCollective
{
    private IEnumerable<IReadOnlyList<ITransfer>> AllReduceSteps(Tensor x, int tag)
    {
        int element = x.ElementType.SizeBytes();
        var ranges = HostRange.Cut(x.Count, Size);
        var own = ranges[Rank];
        HostMemory values = _pool.Take(x.Count * element), parts = _pool.Take(own.Count * Size * element);
        _tensors.Load(x, values);
        yield return Exchange(values, ranges, parts, HostRange.Equal(own.Count, Size), element, tag);
        RankOrderSum.Run(x.ElementType, parts, Size, own.Count, values, own.Start * element);
        yield return Exchange(values, HostRange.Same(own, Size), values, ranges, element, tag);
        _tensors.Store(values, x);
        _pool.Give(values);
        _pool.Give(parts);
    }

    private IEnumerable<IReadOnlyList<ITransfer>> AllGatherSteps(Tensor part, Tensor all, int tag)
    {
        int element = part.ElementType.SizeBytes();
        var ranges = HostRange.Equal(part.Count, Size);
        var values = _pool.Take(all.Count * element);
        _tensors.Load(part, values, ranges[Rank].Start * element);
        yield return Exchange(values, HostRange.Same(ranges[Rank], Size), values, ranges, element, tag);
        _tensors.Store(values, all);
        _pool.Give(values);
    }

    private IEnumerable<IReadOnlyList<ITransfer>> ReduceScatterSteps(Tensor all, Tensor part, int tag)
    {
        int element = part.ElementType.SizeBytes();
        var ranges = HostRange.Equal(part.Count, Size);
        HostMemory values = _pool.Take(all.Count * element), parts = _pool.Take(all.Count * element),
            sum = _pool.Take(part.Count * element);
        _tensors.Load(all, values);
        yield return Exchange(values, ranges, parts, ranges, element, tag);
        RankOrderSum.Run(part.ElementType, parts, Size, part.Count, sum, 0);
        _tensors.Store(sum, part);
        _pool.Give(values);
        _pool.Give(parts);
        _pool.Give(sum);
    }

    private IEnumerable<IReadOnlyList<ITransfer>> AllToAllSteps(Tensor send, HostRange[] outgoing, Tensor receive,
        HostRange[] incoming, int tag)
    {
        int element = send.ElementType.SizeBytes();
        HostMemory sent = _pool.Take(send.Count * element), received = _pool.Take(receive.Count * element);
        _tensors.Load(send, sent);
        yield return Exchange(sent, outgoing, received, incoming, element, tag);
        _tensors.Store(received, receive);
        _pool.Give(sent);
        _pool.Give(received);
    }

    private IEnumerable<IReadOnlyList<ITransfer>> BroadcastSteps(Tensor x, int root, int tag)
    {
        int element = x.ElementType.SizeBytes();
        HostRange whole = new(0, x.Count), nothing = new(0, 0);
        var values = _pool.Take(x.Count * element);
        if (Rank == root)
            _tensors.Load(x, values);
        var outgoing = HostRange.Same(Rank == root ? whole : nothing, Size);
        var incoming = HostRange.Same(nothing, Size);
        incoming[root] = whole;
        yield return Exchange(values, outgoing, values, incoming, element, tag);
        if (Rank != root)
            _tensors.Store(values, x);
        _pool.Give(values);
    }

    private IEnumerable<IReadOnlyList<ITransfer>> SendSteps(Tensor x, int to, int tag)
    {
        long bytes = x.Count * x.ElementType.SizeBytes();
        var values = _pool.Take(bytes);
        _tensors.Load(x, values);
        var transfers = new List<ITransfer>();
        Send(transfers, values, 0, bytes, to, tag);
        yield return transfers;
        _pool.Give(values);
    }

    private IEnumerable<IReadOnlyList<ITransfer>> ReceiveSteps(Tensor x, int from, int tag)
    {
        long bytes = x.Count * x.ElementType.SizeBytes();
        var values = _pool.Take(bytes);
        var transfers = new List<ITransfer>();
        Receive(transfers, values, 0, bytes, from, tag);
        yield return transfers;
        _tensors.Store(values, x);
        _pool.Give(values);
    }

    // A range to each rank and a range from each; what a rank sends to itself is copied.
    private List<ITransfer> Exchange(HostMemory send, HostRange[] outgoing, HostMemory receive, HostRange[] incoming,
        int element, int tag)
    {
        var transfers = new List<ITransfer>();
        for (int rank = 0; rank < Size; rank++)
            if (rank != Rank)
                Receive(transfers, receive, incoming[rank].Start * element, incoming[rank].Count * element, rank,
                    tag);
        for (int step = 1; step < Size; step++)
        {
            int rank = (Rank + step) % Size; // not all to rank 0 first
            Send(transfers, send, outgoing[rank].Start * element, outgoing[rank].Count * element, rank, tag);
        }
        var (from, to) = (outgoing[Rank], incoming[Rank]);
        if (!ReferenceEquals(send, receive) || from.Start != to.Start)
            send.Span<byte>(from.Start * element, from.Count * element)
                .CopyTo(receive.Span<byte>(to.Start * element, to.Count * element));
        return transfers;
    }

    private void Send(List<ITransfer> transfers, HostMemory memory, long start, long bytes, int to, int tag)
    {
        for (long at = 0; at < bytes; at += _messageBytes)
            transfers.Add(_transport.Send(memory, start + at, (int)Math.Min(_messageBytes, bytes - at), to, tag));
        SentBytes += bytes;
    }

    private void Receive(List<ITransfer> transfers, HostMemory memory, long start, long bytes, int from, int tag)
    {
        for (long at = 0; at < bytes; at += _messageBytes)
            transfers.Add(_transport.Receive(memory, start + at, (int)Math.Min(_messageBytes, bytes - at), from,
                tag));
    }
}

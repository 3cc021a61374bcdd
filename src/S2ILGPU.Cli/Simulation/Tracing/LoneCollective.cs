using S2ILGPU.Collectives;
using S2ILGPU.Engines;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cli.Simulation.Tracing;

/// <summary>A rank of a group whose other ranks do not exist: it tells what would be sent, and gets its own values, or
/// zeros, in place of theirs.</summary>
/// <param name="group">Which group this is.</param>
/// <param name="rank">Number of the rank.</param>
/// <param name="size">Ranks of the group.</param>
/// <param name="note">Told of beginnings and waits.</param>
/// <param name="engine">Fills what would be received; null where there is no memory.</param>
internal sealed class LoneCollective(RankGroup group, int rank, int size, Action<RankInstruction> note,
    IEngine? engine) : ICollective
{
    private int _begun;

    /// <summary>What the trainer splits all ranks into: those with the same part of the layers.</summary>
    public Func<LoneCollective>? Replicas { get; init; }

    /// <inheritdoc/>
    public int Rank => rank;

    /// <inheritdoc/>
    public int Size => size;

    /// <inheritdoc/>
    public long SentBytes { get; private set; }

    /// <inheritdoc/>
    public Pending AllReduce(Tensor x)
    {
        // The own part of each rank comes from all others, then goes to them.
        double bytes = 2.0 * (size - 1) / size * Bytes(x);
        return Start(CollectiveKind.AllReduce, bytes, bytes);
    }

    /// <inheritdoc/>
    public Pending AllGather(Tensor part, Tensor all)
    {
        if (engine is not null && part.Count > 0)
            for (int r = 0; r < size; r++)
                using (var slice = all.Slice(0, r * (int)part.Count, (int)part.Count))
                    engine.Copy(part, slice);
        if (part.Buffer is CountedBuffer { Values: { } own } && all.Buffer is CountedBuffer gathered)
            gathered.Values = [.. Enumerable.Repeat(own, size).SelectMany(values => values)];
        double bytes = (size - 1.0) * Bytes(part);
        return Start(CollectiveKind.AllGather, bytes, bytes);
    }

    /// <inheritdoc/>
    public Pending ReduceScatter(Tensor all, Tensor part)
    {
        if (engine is not null && part.Count > 0)
            using (var slice = all.Slice(0, rank * (int)part.Count, (int)part.Count))
                engine.Copy(slice, part);
        double bytes = (size - 1.0) * Bytes(part);
        return Start(CollectiveKind.ReduceScatter, bytes, bytes);
    }

    /// <inheritdoc/>
    public Pending AllToAll(Tensor send, ReadOnlySpan<int> sendCounts, Tensor receive, ReadOnlySpan<int> receiveCounts)
    {
        engine?.Fill(receive, 0);
        int element = send.ElementType.SizeBytes();
        return Start(CollectiveKind.AllToAll, Others(sendCounts) * element, Others(receiveCounts) * element);
    }

    /// <inheritdoc/>
    public Pending Broadcast(Tensor x, int root) => new Done(null); // before the first step: every rank has the values

    /// <inheritdoc/>
    public Pending Send(Tensor x, int to, int tag) => throw Unexpected(nameof(Send));

    /// <inheritdoc/>
    public Pending Receive(Tensor x, int from, int tag) => throw Unexpected(nameof(Receive));

    /// <inheritdoc/>
    public ICollective Split(int color, int key) => Replicas?.Invoke() ?? throw Unexpected(nameof(Split));

    /// <inheritdoc/>
    public void Dispose()
    {
        // there is nothing behind it
    }

    private static double Bytes(Tensor x) => (double)x.Count * x.ElementType.SizeBytes();

    private double Others(ReadOnlySpan<int> counts)
    {
        double sum = 0;
        for (int r = 0; r < size; r++)
            sum += r == rank ? 0 : counts[r];
        return sum;
    }

    private Done Start(CollectiveKind kind, double sent, double received)
    {
        SentBytes += (long)sent;
        int number = _begun++;
        note(new Begin(group, kind, number, sent, received));
        return new Done(() => note(new Await(group, number)));
    }

    private static InvalidOperationException Unexpected(string operation) =>
        new($"a training step does not call {operation}");

    // Complete from the start; the wait is told once, where the caller waits. A poll changes nothing: what it would
    // move on is counted where the rank waits.
    private sealed class Done : Pending
    {
        private Action? _waited;

        public Done(Action? waited) => _waited = waited;

        public override bool Poll() => IsComplete;

        public override void Wait()
        {
            IsComplete = true;
            _waited?.Invoke();
            _waited = null;
        }
    }
}

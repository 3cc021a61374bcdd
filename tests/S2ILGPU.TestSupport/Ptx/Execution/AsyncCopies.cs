namespace S2ILGPU.TestSupport.Ptx;

/// <summary>The asynchronous copies of a warp's lanes, from their issue until the lane has waited for them.</summary>
internal sealed unsafe class AsyncCopies(Warp warp)
{
    private readonly Queue<Copy>[] _pending = [.. Enumerable.Range(0, 32).Select(_ => new Queue<Copy>())];
    private readonly int[] _committed = new int[32]; // groups that the lane has closed

    // Bit n of Written: word n is zero, or comes from written memory. Position is the instruction's.
    private readonly unsafe struct Copy(byte* source, uint target, int bytes, int sourceBytes, int group, int written,
        int position)
    {
        public readonly byte* Source = source;
        public readonly uint Target = target;
        public readonly int Bytes = bytes, SourceBytes = sourceBytes, Group = group, Written = written,
            Position = position;
    }

    public void Clear()
    {
        foreach (var queue in _pending)
            queue.Clear();
        Array.Clear(_committed);
    }

    /// <summary>Issues a copy of <paramref name="sourceBytes"/> bytes, filled up with zeros to <paramref
    /// name="bytes"/>.</summary>
    public void Issue(int lane, uint target, ulong source, int bytes, int sourceBytes)
    {
        var group = warp.Group;
        group.Shared.Locate(target, bytes);
        if (sourceBytes > bytes || sourceBytes % 4 != 0)
            throw new PtxFaultException(PtxFaultKind.Other, $"a copy of {sourceBytes} of {bytes} bytes");
        int written = -1;
        byte* data = sourceBytes == 0 ? null
            : group.Global.LocateForCopy(warp, lane, source, sourceBytes, bytes, out written);
        for (int n = 0; n < bytes; n += 4)
            group.Shared.Shadow?.BeginCopy(warp, lane, (int)target - SharedMemory.Begin + n,
                n < sourceBytes ? source + (uint)n : SharedShadow.Zeros);
        var copy = new Copy(data, target, bytes, sourceBytes, _committed[lane], written, warp.Position);
        if (group.Options.Copies == CopyTiming.Early)
            Arrive(copy);
        _pending[lane].Enqueue(copy);
    }

    /// <summary>Closes the lane's group of copies.</summary>
    public void Commit(int lane) => _committed[lane]++;

    /// <summary>Waits until at most so many of the lane's closed groups are under way.</summary>
    public void Wait(int lane, int underWay)
    {
        var queue = _pending[lane];
        while (queue.TryPeek(out var copy) && copy.Group < _committed[lane] - underWay)
            Complete(lane, queue.Dequeue());
    }

    /// <summary>Waits for all copies of the lane, in closed groups or not.</summary>
    public void WaitAll(int lane)
    {
        while (_pending[lane].TryDequeue(out var copy))
            Complete(lane, copy);
    }

    /// <summary>A lane ends: it must have waited for all its copies.</summary>
    public void End(int lane)
    {
        if (!warp.Group.Options.DetectRaces || !_pending[lane].TryPeek(out var copy))
            return;
        var source = warp.SourceAt(copy.Position);
        throw new PtxFaultException(PtxFaultKind.UnwaitedCopy,
            $"thread {warp.FirstThread + lane} ends, but has not waited for its asynchronous copy"
            + (source is null ? "" : $" at {source}"), source);
    }

    private void Complete(int lane, Copy copy)
    {
        if (warp.Group.Options.Copies == CopyTiming.Late)
            Arrive(copy);
        for (int n = 0; n < copy.Bytes; n += 4)
            warp.Group.Shared.Shadow?.EndCopy(warp, lane, (int)copy.Target - SharedMemory.Begin + n,
                (copy.Written >> n / 4 & 1) != 0);
    }

    private void Arrive(Copy copy)
    {
        var target = new Span<byte>(warp.Group.Shared.Locate(copy.Target, copy.Bytes), copy.Bytes);
        new ReadOnlySpan<byte>(copy.Source, copy.SourceBytes).CopyTo(target);
        target[copy.SourceBytes..].Clear();
    }
}

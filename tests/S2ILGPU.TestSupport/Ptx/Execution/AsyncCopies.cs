namespace S2ILGPU.TestSupport.Ptx;

/// <summary>The asynchronous copies of a warp's lanes, from their issue until the lane has waited for them.</summary>
internal sealed unsafe class AsyncCopies(Warp warp)
{
    private readonly Queue<Copy>[] _pending = [.. Enumerable.Range(0, 32).Select(_ => new Queue<Copy>())];
    private readonly int[] _committed = new int[32]; // groups that the lane has closed

    private readonly record struct Copy(ulong Source, uint Target, int Bytes, int SourceBytes, int Group);

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
        if (sourceBytes > 0)
            group.Global.Locate(source, bytes == sourceBytes ? bytes
                : throw new PtxFaultException(
                $"a copy of {sourceBytes} of {bytes} bytes: only all or none are supported"), isWrite: false);
        group.Shared.Races?.BeginCopy(warp, lane, (int)target - SharedMemory.Begin, bytes, sourceBytes > 0
            ? source : 1);
        var copy = new Copy(source, target, bytes, sourceBytes, _committed[lane]);
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

    private void Complete(int lane, Copy copy)
    {
        if (warp.Group.Options.Copies == CopyTiming.Late)
            Arrive(copy);
        warp.Group.Shared.Races?.EndCopy(warp, lane, (int)copy.Target - SharedMemory.Begin, copy.Bytes);
    }

    private void Arrive(Copy copy)
    {
        var target = new Span<byte>(warp.Group.Shared.Locate(copy.Target, copy.Bytes), copy.Bytes);
        if (copy.SourceBytes == 0)
            target.Clear();
        else
            new ReadOnlySpan<byte>(warp.Group.Global.Locate(copy.Source, copy.Bytes, isWrite: false), copy.Bytes)
                .CopyTo(target);
    }
}

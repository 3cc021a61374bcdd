namespace S2ILGPU.TestSupport.Ptx;

/// <summary>Finds accesses that no barrier orders, whatever order the threads happened to run in, and reads of what
/// nobody wrote.</summary>
/// <remarks>
/// <para>Every cell of memory, which is 4 bytes, or 1 once something smaller was touched, remembers who wrote it last
/// and who read it since, each as a <see cref="Stamp"/> with the instruction. Two threads are ordered when a barrier of
/// the group, or for threads of one warp a barrier of the warp, lies between; threads of two groups never are.</para>
/// <para>An ldmatrix reads for all lanes of its warp, so a lane that writes there afterwards needs a barrier of the
/// warp, as the memory model asks.</para>
/// </remarks>
/// <param name="clock">The machine's.</param>
/// <param name="name">Name of the memory.</param>
/// <param name="bytes">Its size.</param>
/// <param name="hasContent">Whether all of it counts as written before the first launch.</param>
internal class Shadow(Clock clock, string name, long bytes, bool hasContent)
{
    /// <summary>Last write and reads of each cell, and the instructions that did them.</summary>
    protected ulong[] Writes = new ulong[bytes / 4 + 4], Reads = new ulong[bytes / 4 + 4];
    protected int[] Writers = new int[bytes / 4 + 4], Readers = new int[bytes / 4 + 4];

    protected Clock Clock => clock;

    /// <summary>A cell has 2^Granularity bytes.</summary>
    protected int Granularity { get; private set; } = 2;

    /// <summary>A thread touches memory.</summary>
    public void Touch(Warp warp, int lane, long offset, int size, Access access)
    {
        Refine(size);
        for (int cell = First(offset); cell <= Last(offset, size); cell++)
            switch (access)
            {
                case Access.Read:
                    Read(warp, lane, cell, isCollective: false);
                    break;
                case Access.Write:
                    Write(warp, lane, cell);
                    break;
                default:
                    Update(warp, lane, cell, readsOld: access == Access.Update);
                    break;
            }
    }

    /// <summary>An asynchronous copy reads; returns whether somebody wrote them.</summary>
    public bool ReadForCopy(Warp warp, int lane, long offset, int size)
    {
        bool isWritten = true;
        for (int cell = First(offset); cell <= Last(offset, size); cell++)
        {
            isWritten &= !IsUnwritten(Writes[cell]);
            if (!IsUnwritten(Writes[cell]))
                Read(warp, lane, cell, isCollective: false);
        }
        return isWritten;
    }

    /// <summary>Whether nobody wrote a cell.</summary>
    protected virtual bool IsUnwritten(ulong write) => write == 0 && !hasContent;

    /// <summary>First interval whose accesses are not ordered before the group that runs.</summary>
    protected virtual ulong Begin => clock.Launch;

    protected bool IsConcurrent(ulong stamp, Warp warp, int lane) =>
        Stamp.IsConcurrent(stamp, clock, Begin, warp, lane);

    protected int First(long offset) => (int)(offset >> Granularity);

    protected int Last(long offset, int size) => (int)((offset + size - 1) >> Granularity);

    /// <summary>Reads a cell for a lane, or for all lanes of the warp.</summary>
    protected void Read(Warp warp, int lane, int cell, bool isCollective)
    {
        ulong last = Writes[cell];
        if (IsUnwritten(last))
            throw Fault(PtxFaultKind.Uninitialised, "read, but nobody wrote it", warp, lane, cell);
        if (last >= Stamp.UnderWay)
            throw Fault(PtxFaultKind.MissingWait, "read while an asynchronous copy into it is under way", warp, lane,
                cell, last, Writers);
        if ((last & Stamp.Unwritten) != 0)
            throw Fault(PtxFaultKind.Uninitialised, "read, but was copied from global memory that nobody wrote", warp,
                lane, cell, last, Writers);
        if (IsConcurrent(last, warp, isCollective ? -1 : lane))
            throw Race("written and read without a barrier between", warp, lane, cell, last, Writers);
        ulong mine = Stamp.Of(clock, warp, isCollective ? 0 : lane) | (isCollective ? Stamp.ManyThreads : 0);
        Reads[cell] = Stamp.Join(Reads[cell], mine, clock, Begin);
        Readers[cell] = warp.Position;
    }

    /// <summary>Makes cells small enough for an access.</summary>
    protected void Refine(int size)
    {
        if (size >= 1 << Granularity)
            return;
        int pieces = 1 << Granularity;
        Granularity = 0;
        Writes = Split(Writes, pieces);
        Reads = Split(Reads, pieces);
        Writers = Split(Writers, pieces);
        Readers = Split(Readers, pieces);
        OnRefined(pieces);
    }

    /// <summary>Cells were split into so many.</summary>
    protected virtual void OnRefined(int pieces)
    {
    }

    protected static T[] Split<T>(T[] cells, int pieces)
    {
        var split = new T[cells.Length * pieces];
        for (int n = 0; n < split.Length; n++)
            split[n] = cells[n / pieces];
        return split;
    }

    protected void CheckReaders(Warp warp, int lane, int cell)
    {
        if (IsConcurrent(Reads[cell], warp, lane))
            throw Race("written although others may still read it", warp, lane, cell, Reads[cell], Readers);
    }

    protected PtxFaultException Race(string what, Warp warp, int lane, int cell, ulong other, int[] sites) =>
        Stamp.IsOfOtherGroup(other, clock)
        ? Fault(PtxFaultKind.RaceBetweenGroups, what.Replace("without a barrier between", "by two groups"), warp, lane,
            cell, other, sites)
        : Fault(PtxFaultKind.Race, what, warp, lane, cell, other, sites);

    protected PtxFaultException Fault(PtxFaultKind kind, string what, Warp warp, int lane, int cell, ulong other = 0,
        int[]? sites = null)
    {
        string thread = $"thread {warp.FirstThread + lane}";
        if (sites is null)
            return new(kind, $"byte {(long)cell << Granularity} of {name} is {what}: {thread}");
        var source = warp.SourceAt(sites[cell]);
        string from = Stamp.IsOfOtherGroup(other, clock) ? "another group's " : "";
        return new(kind, $"byte {(long)cell << Granularity} of {name} is {what}: {thread} and {from}thread "
            + $"{Stamp.ThreadOf(other)}{(source is null ? "" : $" at {source}")}", source);
    }

    private void Write(Warp warp, int lane, int cell)
    {
        ulong last = Writes[cell];
        if (!IsUnwritten(last))
        {
            if (last >= Stamp.UnderWay)
                throw Fault(PtxFaultKind.MissingWait, "written while an asynchronous copy into it is under way", warp,
                    lane, cell, last, Writers);
            if (IsConcurrent(last, warp, lane))
                throw Race("written twice without a barrier between", warp, lane, cell, last, Writers);
        }
        CheckReaders(warp, lane, cell);
        Writes[cell] = Stamp.Of(clock, warp, lane);
        Writers[cell] = warp.Position;
    }

    // Atomic operations are not ordered among themselves, and need not be.
    private void Update(Warp warp, int lane, int cell, bool readsOld)
    {
        ulong last = Writes[cell], mine = Stamp.Of(clock, warp, lane) | Stamp.Atomic;
        bool isUnwritten = IsUnwritten(last);
        if (isUnwritten && readsOld)
            throw Fault(PtxFaultKind.Uninitialised, "updated, but nobody wrote it", warp, lane, cell);
        if (!isUnwritten && last >= Stamp.UnderWay)
            throw Fault(PtxFaultKind.MissingWait, "updated while an asynchronous copy into it is under way", warp, lane,
                cell, last, Writers);
        bool isFirst = isUnwritten || (last & Stamp.Atomic) == 0;
        if (isFirst && !isUnwritten && IsConcurrent(last, warp, lane))
            throw Race("written and updated without a barrier between", warp, lane, cell, last, Writers);
        CheckReaders(warp, lane, cell);
        Writes[cell] = isFirst ? mine : Stamp.Join(last, mine, clock, Begin);
        Writers[cell] = warp.Position;
    }
}

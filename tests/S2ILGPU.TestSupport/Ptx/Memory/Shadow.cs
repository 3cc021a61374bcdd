namespace S2ILGPU.TestSupport.Ptx;

/// <summary>Finds accesses that no barrier orders, whatever order the threads happened to run in, and reads of
/// unwritten memory.</summary>
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
/// <param name="isShared">Whether it is shared memory, for which groups before the one that runs do not count.</param>
/// <param name="hasContent">Whether all of it counts as written before the first launch.</param>
internal class Shadow(Clock clock, string name, long bytes, bool isShared, bool hasContent)
{
    /// <summary>Last write and reads of each cell, and the instructions that did them.</summary>
    protected ulong[] Writes = new ulong[bytes / 4 + 4], Reads = new ulong[bytes / 4 + 4];
    protected int[] Writers = new int[bytes / 4 + 4], Readers = new int[bytes / 4 + 4];

    protected Clock Clock => clock;

    /// <summary>A cell has 2^Granularity bytes.</summary>
    protected int Granularity { get; private set; } = 2;

    // First interval whose accesses are not all ordered before the group that runs.
    private ulong Begin => isShared ? clock.Group : clock.Launch;

    /// <summary>A thread touches memory.</summary>
    public void Touch(Warp warp, int lane, long offset, int size, Access access)
    {
        Refine(size);
        ulong mine = Stamp.Of(clock, warp, lane);
        for (int cell = First(offset), last = Last(offset, size); cell <= last; cell++)
            if (access == Access.Read)
                Read(warp, mine, cell, isCollective: false);
            else if (access == Access.Write)
                Write(warp, mine, cell);
            else
                Update(warp, mine | Stamp.Atomic, cell, readsOld: access == Access.Update);
    }

    /// <summary>An asynchronous copy reads 4 bytes; returns whether they were written.</summary>
    public bool ReadForCopy(Warp warp, int lane, long offset)
    {
        bool isWritten = true;
        ulong mine = Stamp.Of(clock, warp, lane);
        for (int cell = First(offset); cell <= Last(offset, 4); cell++)
        {
            isWritten &= !IsUnwritten(Writes[cell]);
            if (!IsUnwritten(Writes[cell]))
                Read(warp, mine, cell, isCollective: false);
        }
        return isWritten;
    }

    protected int First(long offset) => (int)(offset >> Granularity);

    protected int Last(long offset, int size) => (int)((offset + size - 1) >> Granularity);

    /// <summary>Whether a cell was never written.</summary>
    protected bool IsUnwritten(ulong write) =>
        isShared ? Stamp.IntervalOf(write) < clock.Group : write == 0 && !hasContent;

    protected bool IsConcurrent(ulong stamp, ulong mine, bool isCollective = false) =>
        Stamp.IsConcurrent(stamp, mine, isCollective, clock, Begin);

    /// <summary>Reads a cell for a thread, or for all lanes of the warp.</summary>
    protected void Read(Warp warp, ulong mine, int cell, bool isCollective)
    {
        ulong last = Writes[cell], reads = Reads[cell];
        // written by this group before the last barrier: nothing can be wrong
        bool isOrdered = (last & ~Stamp.Copied) - clock.Group < clock.Interval - clock.Group;
        if (!isOrdered)
            CheckWriter(warp, mine, cell, isCollective);
        if (Stamp.IsJoined(reads, mine, clock))
            return;
        Reads[cell] = Stamp.Join(reads, mine, clock, Begin);
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

    protected void CheckReaders(ulong mine, int cell, Warp warp)
    {
        if (IsConcurrent(Reads[cell], mine))
            throw Race("written although others may still read it", warp, mine, cell, Reads[cell], Readers);
    }

    protected PtxFaultException Race(string what, Warp warp, ulong mine, int cell, ulong other, int[] sites) =>
        Stamp.IsOfOtherGroup(other, clock)
        ? Fault(PtxFaultKind.RaceBetweenGroups, what.Replace("without a barrier between", "by two groups"), warp, mine,
            cell, other, sites)
        : Fault(PtxFaultKind.Race, what, warp, mine, cell, other, sites);

    protected PtxFaultException Fault(PtxFaultKind kind, string what, Warp warp, ulong mine, int cell, ulong other = 0,
        int[]? sites = null)
    {
        string where = $"byte {(long)cell << Granularity} of {name} is {what}: thread {Stamp.ThreadOf(mine)}";
        if (sites is null)
            return new(kind, where);
        var source = warp.SourceAt(sites[cell]);
        string from = Stamp.IsOfOtherGroup(other, clock) ? "another group's " : "";
        return new(kind, $"{where} and {from}thread {Stamp.ThreadOf(other)}{(source is null ? "" : $" at {source}")}",
            source);
    }

    private void CheckWriter(Warp warp, ulong mine, int cell, bool isCollective)
    {
        ulong last = Writes[cell];
        if (IsUnwritten(last))
            throw Fault(PtxFaultKind.Uninitialised, "read, but was never written", warp, mine, cell);
        if (last >= Stamp.UnderWay)
            throw Fault(PtxFaultKind.MissingWait, "read while an asynchronous copy into it is under way", warp, mine,
                cell, last, Writers);
        if ((last & Stamp.Unwritten) != 0)
            throw Fault(PtxFaultKind.Uninitialised, "read, but was copied from unwritten global memory", warp,
                mine, cell, last, Writers);
        if (IsConcurrent(last, mine, isCollective))
            throw Race("written and read without a barrier between", warp, mine, cell, last, Writers);
    }

    private void Write(Warp warp, ulong mine, int cell)
    {
        ulong last = Writes[cell];
        if (!IsUnwritten(last))
        {
            if (last >= Stamp.UnderWay)
                throw Fault(PtxFaultKind.MissingWait, "written while an asynchronous copy into it is under way", warp,
                    mine, cell, last, Writers);
            if (IsConcurrent(last, mine))
                throw Race("written twice without a barrier between", warp, mine, cell, last, Writers);
        }
        CheckReaders(mine, cell, warp);
        Writes[cell] = mine;
        Writers[cell] = warp.Position;
    }

    // Atomic operations are not ordered among themselves, and need not be.
    private void Update(Warp warp, ulong mine, int cell, bool readsOld)
    {
        ulong last = Writes[cell];
        bool isUnwritten = IsUnwritten(last), isFirst = isUnwritten || (last & Stamp.Atomic) == 0;
        if (isUnwritten && readsOld)
            throw Fault(PtxFaultKind.Uninitialised, "updated, but was never written", warp, mine, cell);
        if (!isUnwritten && last >= Stamp.UnderWay)
            throw Fault(PtxFaultKind.MissingWait, "updated while an asynchronous copy into it is under way", warp, mine,
                cell, last, Writers);
        if (!isUnwritten && isFirst && IsConcurrent(last, mine))
            throw Race("written and updated without a barrier between", warp, mine, cell, last, Writers);
        CheckReaders(mine, cell, warp);
        Writes[cell] = isFirst ? mine : Stamp.Join(last, mine, clock, Begin);
        Writers[cell] = warp.Position;
    }
}

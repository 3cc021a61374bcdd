using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace S2ILGPU.TestSupport.Ptx;

/// <summary>Finds accesses to shared memory that no barrier orders, whatever order the threads happened to run
/// in.</summary>
/// <remarks>
/// <para>Every 4-byte word remembers who wrote it last and who read it since the last barrier, each stamped with the
/// group's and the warp's barrier count. Two threads are ordered when a group barrier, or for threads of
/// one warp a warp barrier, lies between. An asynchronous copy holds its words from its issue until its thread waits;
/// nobody may touch them meanwhile.</para>
/// <para>An ldmatrix reads for all lanes of its warp, so a lane that writes there afterwards needs a barrier of the
/// warp, as the memory model asks. One exception: warps may copy the same bytes to the same place, each for
/// itself.</para>
/// </remarks>
internal sealed class RaceDetector(int bytes)
{
    // Stamp: [63] copy under way | [62] several warps | [61] several threads of a warp | [60..34] group barriers |
    // [33..10] warp barriers | [9..0] thread
    private const ulong UnderWay = 1ul << 63, ManyWarps = 1ul << 62, ManyThreads = 1ul << 61;
    private const int GroupShift = 34, WarpShift = 10;

    private readonly ulong[] _writes = new ulong[bytes / 4 + 4];
    private readonly ulong[] _reads = new ulong[bytes / 4 + 4];
    private readonly ulong[] _sources = new ulong[bytes / 4 + 4]; // where the last copy into a word came from

    private ulong _groupBarriers = 1;

    public void Reset()
    {
        Array.Clear(_writes);
        Array.Clear(_reads);
        Array.Clear(_sources);
        _groupBarriers = 1;
    }

    /// <summary>All threads of the group have met.</summary>
    public void GroupBarrier() => _groupBarriers++;

    /// <summary>A thread reads.</summary>
    public void Read(Warp warp, int lane, int offset, int size)
    {
        for (int word = offset >> 2; word < (offset + size + 3) >> 2; word++)
            Read(warp, lane, word, isCollective: false);
    }

    /// <summary>A warp reads 16 bytes for all its lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void ReadRow(Warp warp, int lane, int offset)
    {
        int word = offset >> 2;
        ulong interval = _groupBarriers << GroupShift, mine = CollectiveStamp(warp);
        var writes = Vector256.LoadUnsafe(ref MemoryMarshal.GetArrayDataReference(_writes), (nuint)word);
        var reads = Vector256.LoadUnsafe(ref MemoryMarshal.GetArrayDataReference(_reads), (nuint)word);
        // written, before the last group barrier, and not read by others since
        bool isOrdered = Vector256.LessThanAll(writes - Vector256.Create(1ul), Vector256.Create(interval - 1));
        bool isFirst = Vector256.LessThanAll(reads & Vector256.Create(ManyThreads - 1), Vector256.Create(interval));
        if (isOrdered && (isFirst || reads == Vector256.Create(mine)))
        {
            Vector256.Create(mine).StoreUnsafe(ref MemoryMarshal.GetArrayDataReference(_reads), (nuint)word);
            return;
        }
        for (int n = 0; n < 4; n++)
            Read(warp, lane, word + n, isCollective: true);
    }

    /// <summary>A thread writes.</summary>
    public void Write(Warp warp, int lane, int offset, int size)
    {
        for (int word = offset >> 2; word < (offset + size + 3) >> 2; word++)
        {
            ulong last = _writes[word];
            if (last >= UnderWay)
                throw Fault(warp, lane, word, "written while an asynchronous copy into it is under way", last);
            if (last != 0 && !IsOrdered(warp, lane, last))
                throw Fault(warp, lane, word, "written twice without a barrier between", last);
            CheckReaders(warp, lane, word);
            _writes[word] = Stamp(warp, lane);
        }
    }

    /// <summary>A thread issues an asynchronous copy.</summary>
    public void BeginCopy(Warp warp, int lane, int offset, int size, ulong source)
    {
        for (int word = offset >> 2; word < (offset + size) >> 2; word++)
        {
            ulong last = _writes[word];
            bool isSame = _sources[word] == source && source != 0;
            if (last >= UnderWay && !isSame)
                throw Fault(warp, lane, word, "target of an asynchronous copy while another one is under way", last);
            if (last != 0 && last < UnderWay && !isSame && !IsOrdered(warp, lane, last))
                throw Fault(warp, lane, word,
                    "written and target of an asynchronous copy without a barrier between", last);
            CheckReaders(warp, lane, word);
            _writes[word] = UnderWay | Stamp(warp, lane);
            _sources[word] = source;
            if (source != 0)
                source += 4;
        }
    }

    /// <summary>The thread that issued a copy has waited for it.</summary>
    public void EndCopy(Warp warp, int lane, int offset, int size)
    {
        ulong stamp = Stamp(warp, lane);
        for (int word = offset >> 2; word < (offset + size) >> 2; word++)
            if (_writes[word] >= UnderWay)
                _writes[word] = stamp;
    }

    private void Read(Warp warp, int lane, int word, bool isCollective)
    {
        ulong last = _writes[word];
        if (last == 0)
            throw Fault(warp, lane, word, "read, but nobody wrote it", null);
        if (last >= UnderWay)
            throw Fault(warp, lane, word, "read while an asynchronous copy into it is under way", last);
        if (!(isCollective ? IsOrdered(warp, -1, last) : IsOrdered(warp, lane, last)))
            throw Fault(warp, lane, word, "written and read without a barrier between", last);
        ulong stamp = isCollective ? CollectiveStamp(warp) : Stamp(warp, lane), before = _reads[word];
        if (GroupOf(before) != _groupBarriers)
            _reads[word] = stamp;
        else if (WarpOf(before) != warp.Index)
            _reads[word] = before | ManyWarps;
        else if (WarpBarriersOf(before) < warp.Barriers)
            _reads[word] = stamp | (before & ManyWarps);
        else if (isCollective || ThreadOf(before) != warp.FirstThread + lane)
            _reads[word] = before | ManyThreads;
    }

    // Has every thread that read the word since the last group barrier met this one?
    private void CheckReaders(Warp warp, int lane, int word)
    {
        ulong read = _reads[word];
        if (GroupOf(read) != _groupBarriers)
            return;
        if ((read & ManyWarps) != 0 || WarpOf(read) != warp.Index)
            throw Fault(warp, lane, word, "written although others may still read it", read);
        if (WarpBarriersOf(read) < warp.Barriers)
            return;
        if ((read & ManyThreads) != 0 || ThreadOf(read) != warp.FirstThread + lane)
            throw Fault(warp, lane, word, "written although other lanes may still read it", read);
    }

    private bool IsOrdered(Warp warp, int lane, ulong stamp) =>
        GroupOf(stamp) < _groupBarriers || ThreadOf(stamp) == warp.FirstThread + lane
        || (WarpOf(stamp) == warp.Index && WarpBarriersOf(stamp) < warp.Barriers);

    private ulong Stamp(Warp warp, int lane) =>
        _groupBarriers << GroupShift | warp.Barriers << WarpShift | (uint)(warp.FirstThread + lane);

    private ulong CollectiveStamp(Warp warp) => ManyThreads | Stamp(warp, 0);

    private static ulong GroupOf(ulong stamp) => (stamp & (ManyThreads - 1)) >> GroupShift;

    private static ulong WarpBarriersOf(ulong stamp) => (stamp >> WarpShift) & ((1ul << (GroupShift - WarpShift)) - 1);

    private static int ThreadOf(ulong stamp) => (int)(stamp & 1023);

    private static int WarpOf(ulong stamp) => ThreadOf(stamp) / 32;

    private static PtxFaultException Fault(Warp warp, int lane, int word, string what, ulong? other) =>
        new($"race: byte {word * 4} of shared memory is {what}: thread "
        + $"{warp.FirstThread + lane}{(other is { } stamp ? $" and thread {ThreadOf(stamp)}" : "")}");
}

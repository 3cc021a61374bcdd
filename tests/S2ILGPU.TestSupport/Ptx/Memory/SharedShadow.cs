using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace S2ILGPU.TestSupport.Ptx;

/// <summary>The shadow of shared memory, which also is the target of asynchronous copies.</summary>
/// <remarks>A copy holds its words from its issue until its thread waits; no thread may touch them meanwhile. One
/// exception: threads may copy the same bytes to the same place between the same two barriers, each for itself; the
/// bytes are there when all of them have waited.</remarks>
internal sealed class SharedShadow(Clock clock, int bytes)
    : Shadow(clock, "shared memory", bytes, isShared: true, hasContent: false)
{
    private ulong[] _sources = new ulong[bytes / 4 + 4]; // where the last copy into a cell came from
    private ushort[] _copies = new ushort[bytes / 4 + 4]; // copies into a cell that are under way

    /// <summary>A source that is the same for all copies: zeros.</summary>
    public const ulong Zeros = 1;

    /// <summary>A warp reads 16 bytes for all its lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void ReadRow(Warp warp, int offset)
    {
        int cell = offset >> 2;
        ulong group = Clock.Group, interval = Clock.Interval, mine = Stamp.ManyThreads | Stamp.Of(Clock, warp, 0);
        if (Granularity == 2)
        {
            var writes = Vector256.LoadUnsafe(ref MemoryMarshal.GetArrayDataReference(Writes), (nuint)cell);
            var reads = Vector256.LoadUnsafe(ref MemoryMarshal.GetArrayDataReference(Reads), (nuint)cell);
            // written by this group, before the last group barrier, and not read by other warps since
            bool isOrdered = Vector256.LessThanAll((writes & Vector256.Create(~Stamp.Copied)) - Vector256.Create(group),
                Vector256.Create(interval - group));
            bool isFirst = Vector256.LessThanAll(reads & Vector256.Create(Stamp.TimeMask),
                Vector256.Create(interval));
            if (isOrdered && (isFirst || reads == Vector256.Create(mine)))
            {
                Vector256.Create(mine).StoreUnsafe(ref MemoryMarshal.GetArrayDataReference(Reads), (nuint)cell);
                Vector128.Create(warp.Position)
                    .StoreUnsafe(ref MemoryMarshal.GetArrayDataReference(Readers), (nuint)cell);
                return;
            }
        }
        for (int n = First(offset); n <= Last(offset, 16); n++)
            Read(warp, mine, n, isCollective: true);
    }

    /// <summary>A thread issues an asynchronous copy of 4 bytes.</summary>
    /// <param name="warp">The warp.</param>
    /// <param name="lane">The lane.</param>
    /// <param name="offset">Target.</param>
    /// <param name="source">Global address, or <see cref="Zeros"/>.</param>
    public void BeginCopy(Warp warp, int lane, int offset, ulong source)
    {
        ulong mine = Stamp.Of(Clock, warp, lane);
        for (int cell = First(offset); cell <= Last(offset, 4); cell++)
        {
            ulong last = IsUnwritten(Writes[cell]) ? 0 : Writes[cell];
            bool isSame = (last & Stamp.Copied) != 0 && _sources[cell] == source
                && Stamp.IntervalOf(last) == Clock.Interval;
            if (last >= Stamp.UnderWay && !isSame)
                throw Fault(PtxFaultKind.MissingWait, "target of an asynchronous copy while another one is under way",
                    warp, mine, cell, last, Writers);
            if (last != 0 && !isSame && IsConcurrent(last, mine))
                throw Race("written and target of an asynchronous copy without a barrier between", warp, mine, cell,
                    last, Writers);
            CheckReaders(mine, cell, warp);
            _copies[cell] = (ushort)(last >= Stamp.UnderWay ? _copies[cell] + 1 : 1);
            Writes[cell] = Stamp.UnderWay | Stamp.Copied | mine;
            Writers[cell] = warp.Position;
            _sources[cell] = source;
        }
    }

    /// <summary>The thread that issued a copy has waited for it.</summary>
    public void EndCopy(Warp warp, int lane, int offset, bool isWritten)
    {
        for (int cell = First(offset); cell <= Last(offset, 4); cell++)
            if (Writes[cell] >= Stamp.UnderWay && --_copies[cell] == 0)
                Writes[cell] = Stamp.Copied | Stamp.Of(Clock, warp, lane) | (isWritten ? 0 : Stamp.Unwritten);
    }

    protected override void OnRefined(int pieces)
    {
        _sources = Split(_sources, pieces);
        _copies = Split(_copies, pieces);
    }
}

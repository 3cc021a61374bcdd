namespace S2ILGPU.TestSupport.Ptx;

/// <summary>Who touched a word last, and when: thread, barriers of its warp, <see cref="Clock"/> interval, and
/// flags.</summary>
/// <remarks>[63] copy under way | [62..60] several groups, warps, threads of a warp | [59] atomic | [58] copied from
/// memory that nobody wrote | [57] copied | [56..33] interval | [32..10] barriers of the warp | [9..0]
/// thread.</remarks>
internal static class Stamp
{
    public const ulong UnderWay = 1ul << 63, ManyGroups = 1ul << 62, ManyWarps = 1ul << 61, ManyThreads = 1ul << 60,
        Atomic = 1ul << 59, Unwritten = 1ul << 58, Copied = 1ul << 57;
    public const int IntervalShift = 33;
    private const int WarpShift = 10;

    /// <summary>The stamp of a thread now.</summary>
    public static ulong Of(Clock clock, Warp warp, int lane) =>
        clock.Interval << IntervalShift | warp.Barriers << WarpShift | (uint)(warp.FirstThread + lane);

    public static ulong IntervalOf(ulong stamp) => stamp >> IntervalShift & ((1ul << Clock.Bits) - 1);

    public static int ThreadOf(ulong stamp) => (int)(stamp & 1023);

    /// <summary>Whether an access that the stamp stands for may happen at the same time as one of this thread, of the
    /// warp as a whole where <paramref name="lane"/> is -1. Accesses before the interval <paramref name="begin"/> do not
    /// count.</summary>
    public static bool IsConcurrent(ulong stamp, Clock clock, ulong begin, Warp warp, int lane)
    {
        ulong interval = IntervalOf(stamp);
        if (interval < begin)
            return false;
        if (interval < clock.Group || (stamp & ManyGroups) != 0)
            return true;
        if (interval < clock.Interval)
            return false;
        if ((stamp & ManyWarps) != 0 || ThreadOf(stamp) / 32 != warp.Index)
            return true;
        return BarriersOf(stamp) == warp.Barriers
            && ((stamp & ManyThreads) != 0 || ThreadOf(stamp) != warp.FirstThread + lane);
    }

    /// <summary>Whether that access was one of another group.</summary>
    public static bool IsOfOtherGroup(ulong stamp, Clock clock) =>
        (stamp & ManyGroups) != 0 || IntervalOf(stamp) < clock.Group;

    /// <summary>One stamp for the accesses of another and one more, <paramref name="mine"/>, of reads or of atomic
    /// operations.</summary>
    public static ulong Join(ulong stamp, ulong mine, Clock clock, ulong begin)
    {
        ulong interval = IntervalOf(stamp);
        if (interval < begin)
            return mine;
        if (interval < clock.Group)
            return mine | ManyGroups;
        if (interval < clock.Interval)
            return mine | (stamp & ManyGroups);
        if (ThreadOf(stamp) / 32 != ThreadOf(mine) / 32)
            return stamp | ManyWarps;
        if (BarriersOf(stamp) < BarriersOf(mine))
            return mine | (stamp & (ManyGroups | ManyWarps));
        return stamp | (ThreadOf(stamp) != ThreadOf(mine) ? ManyThreads : mine & ManyThreads);
    }

    private static ulong BarriersOf(ulong stamp) => stamp >> WarpShift & ((1ul << (IntervalShift - WarpShift)) - 1);
}

namespace S2ILGPU.TestSupport.Ptx;

/// <summary>Who touched a word last, and when: thread, barriers of its warp, <see cref="Clock"/> interval, and
/// flags.</summary>
/// <remarks>[63] copy under way | [62..60] several groups, warps, threads of a warp | [59] atomic | [58] copied from
/// unwritten memory | [57] copied | [56..33] interval | [32..10] barriers of the warp | [9..0]
/// thread.</remarks>
internal static class Stamp
{
    public const ulong UnderWay = 1ul << 63, ManyGroups = 1ul << 62, ManyWarps = 1ul << 61, ManyThreads = 1ul << 60,
        Atomic = 1ul << 59, Unwritten = 1ul << 58, Copied = 1ul << 57;

    /// <summary>All but the flags.</summary>
    public const ulong TimeMask = Copied - 1;

    /// <summary>From one interval to the next.</summary>
    public const ulong IntervalUnit = 1ul << 33;

    private const ulong IntervalMask = TimeMask & ~(IntervalUnit - 1), WarpMask = IntervalUnit - 32;
    private const int WarpShift = 10;

    /// <summary>The stamp of a thread now.</summary>
    public static ulong Of(Clock clock, Warp warp, int lane) =>
        clock.Interval | warp.Barriers << WarpShift | (uint)(warp.FirstThread + lane);

    public static ulong IntervalOf(ulong stamp) => stamp & IntervalMask;

    public static int ThreadOf(ulong stamp) => (int)(stamp & 1023);

    /// <summary>Whether an access that the stamp stands for may happen at the same time as one of the thread <paramref
    /// name="mine"/>, or of all lanes of its warp. Accesses before <paramref name="begin"/> do not count.</summary>
    public static bool IsConcurrent(ulong stamp, ulong mine, bool isCollective, Clock clock, ulong begin)
    {
        ulong interval = IntervalOf(stamp);
        if (interval < begin)
            return false;
        if (interval < clock.Group || (stamp & ManyGroups) != 0)
            return true;
        if (interval < clock.Interval)
            return false;
        if ((stamp & ManyWarps) != 0 || IsOfOtherWarp(stamp, mine))
            return true;
        return IsSameWarpInterval(stamp, mine)
            && (isCollective || (stamp & ManyThreads) != 0 || ThreadOf(stamp) != ThreadOf(mine));
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
        if (IsOfOtherWarp(stamp, mine))
            return stamp | ManyWarps;
        if (!IsSameWarpInterval(stamp, mine))
            return mine | (stamp & (ManyGroups | ManyWarps));
        return stamp | (ThreadOf(stamp) != ThreadOf(mine) ? ManyThreads : mine & ManyThreads);
    }

    /// <summary>Whether joining would change nothing: several warps, several threads of this warp, or this thread have
    /// read in the present interval.</summary>
    public static bool IsJoined(ulong stamp, ulong mine, Clock clock) => stamp == mine
        || ((stamp & ManyWarps) != 0 && IntervalOf(stamp) == clock.Interval)
        || ((stamp & ManyThreads) != 0 && ((stamp ^ mine) & TimeMask) < 32);

    private static bool IsOfOtherWarp(ulong stamp, ulong mine) => ((stamp ^ mine) & 1023) >= 32;

    // Whether no barrier of the warp lies between.
    private static bool IsSameWarpInterval(ulong stamp, ulong mine) => ((stamp ^ mine) & WarpMask) == 0;
}

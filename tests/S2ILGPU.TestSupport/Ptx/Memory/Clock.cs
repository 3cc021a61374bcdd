namespace S2ILGPU.TestSupport.Ptx;

/// <summary>Counts the intervals between barriers, over all groups and launches of a machine: groups run one after
/// another, so an interval belongs to one group. Intervals are kept as the <see cref="Stamp"/> where they
/// begin.</summary>
internal sealed class Clock
{
    /// <summary>The present interval.</summary>
    public ulong Interval;

    /// <summary>First interval of the group that runs.</summary>
    public ulong Group;

    /// <summary>First interval of the launch that runs.</summary>
    public ulong Launch;

    /// <summary>A launch begins: all that was done before is ordered before it.</summary>
    public void BeginLaunch() => Launch = Next();

    /// <summary>A group begins.</summary>
    public void BeginGroup() => Group = Next();

    /// <summary>All threads of the group have met.</summary>
    public void Barrier() => Next();

    private ulong Next() => (Interval += Stamp.IntervalUnit) <= Stamp.TimeMask ? Interval
        : throw new NotSupportedException("more groups and barriers than a stamp can count");
}

namespace S2ILGPU.TestSupport.Ptx;

/// <summary>Counts the intervals between barriers, over all groups and launches of a machine: groups run one after
/// another, so an interval belongs to one group.</summary>
internal sealed class Clock
{
    /// <summary>Bits of an interval number.</summary>
    public const int Bits = 24;

    /// <summary>The present interval.</summary>
    public ulong Interval { get; private set; }

    /// <summary>First interval of the group that runs.</summary>
    public ulong Group { get; private set; }

    /// <summary>First interval of the launch that runs.</summary>
    public ulong Launch { get; private set; }

    /// <summary>A launch begins: all that was done before is ordered before it.</summary>
    public void BeginLaunch() => Launch = Next();

    /// <summary>A group begins.</summary>
    public void BeginGroup() => Group = Next();

    /// <summary>All threads of the group have met.</summary>
    public void Barrier() => Next();

    private ulong Next() => ++Interval < 1ul << Bits ? Interval
        : throw new NotSupportedException($"more than 2^{Bits} groups and barriers in one machine");
}

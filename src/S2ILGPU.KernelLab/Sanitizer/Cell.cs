namespace S2ILGPU.KernelLab;

/// <summary>Who touched a granule of memory last.</summary>
internal struct Cell
{
    internal const short Nobody = -1;

    /// <summary>One of several threads that copy the same bytes to here, it is not known which.</summary>
    internal const short SomeOf = -2;

    /// <summary>Where the latest write's bytes come from, if it was an asynchronous copy (<see cref="CopySource.Of"/>).</summary>
    internal long Source;

    /// <summary>The interval in which that copy was issued.</summary>
    internal int CopyInterval;

    internal int WriteInterval;
    internal int ReadInterval;
    internal int WriteEpoch;
    internal int ReadEpoch;
    internal int WriteSite;
    internal int ReadSite;
    internal short WriteLane;
    internal short ReadLane;
    internal short OtherReader;

    /// <summary>The thread that is copying to here asynchronously.</summary>
    internal short CopyingLane;

    /// <summary>How many copies to here, all from the same source, are under way.</summary>
    internal short Copies;
    internal bool WriteAtomic;

    internal static Cell Fresh => new() { WriteInterval = -1, ReadInterval = -1, WriteLane = Nobody, ReadLane = Nobody, OtherReader = Nobody, CopyingLane = Nobody };
}

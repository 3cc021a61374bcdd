namespace S2ILGPU.KernelLab;

/// <summary>Who touched a granule of memory last.</summary>
internal struct Cell
{
    internal const short Nobody = -1;

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
    internal bool WriteAtomic;

    internal static Cell Fresh => new() { WriteInterval = -1, ReadInterval = -1, WriteLane = Nobody, ReadLane = Nobody, OtherReader = Nobody, CopyingLane = Nobody };
}

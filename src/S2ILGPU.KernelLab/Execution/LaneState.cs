namespace S2ILGPU.KernelLab;

/// <summary>Where a thread of the group is.</summary>
internal enum LaneState : byte
{
    Fresh,
    Ready,
    Running,
    AtGroupBarrier,
    AtWarpBarrier,
    Ended,
}

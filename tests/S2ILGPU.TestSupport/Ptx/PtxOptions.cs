namespace S2ILGPU.TestSupport.Ptx;

/// <summary>When the bytes of an asynchronous copy arrive. Both are legal, so a correct kernel gives the same bits with
/// both.</summary>
public enum CopyTiming
{
    /// <summary>When the thread waits for them: shows reads that come too soon.</summary>
    Late,

    /// <summary>When the copy is issued: shows copies into memory that others still read.</summary>
    Early,
}

/// <summary>How a <see cref="PtxMachine"/> runs and what it treats as a fault.</summary>
public sealed record PtxOptions
{
    /// <summary>When asynchronous copies arrive.</summary>
    public CopyTiming Copies { get; init; }

    /// <summary>Chooses the order of warps and how long each runs before another takes its turn.</summary>
    public int Seed { get; init; }

    /// <summary>Whether accesses are followed: races, reads of unwritten memory, and missing waits are
    /// faults.</summary>
    public bool DetectRaces { get; init; } = true;

    /// <summary>Rows of an ldmatrix that meet in the same banks are a fault.</summary>
    public bool DetectBankConflicts { get; init; } = true;

    /// <summary>Bound of the instructions that a warp may execute, so that a broken loop ends.</summary>
    public long MaximumWarpInstructions { get; init; } = 100_000_000;

    /// <summary>Shared memory that one group may have, in bytes; 227 KB on sm_90, 163 KB on sm_80.</summary>
    public int MaximumSharedBytes { get; init; } = 227 * 1024;
}

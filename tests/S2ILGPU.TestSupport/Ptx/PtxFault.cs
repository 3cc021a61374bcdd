namespace S2ILGPU.TestSupport.Ptx;

/// <summary>What a kernel did wrong.</summary>
public enum PtxFaultKind
{
    /// <summary>An access outside of every array, of shared or of local memory.</summary>
    OutOfBounds,

    /// <summary>An address that is no multiple of the access's size.</summary>
    Misaligned,

    /// <summary>A write to memory that the kernel may only read.</summary>
    WriteToInput,

    /// <summary>A read of shared or global memory that was never written.</summary>
    Uninitialised,

    /// <summary>Two threads of a group touch the same bytes, one writes, and no barrier lies between.</summary>
    Race,

    /// <summary>Two groups of a launch touch the same bytes, and one writes.</summary>
    RaceBetweenGroups,

    /// <summary>The target of an asynchronous copy was touched before the copy was waited for.</summary>
    MissingWait,

    /// <summary>A thread ended with asynchronous copies that it never waited for.</summary>
    UnwaitedCopy,

    /// <summary>A barrier that not all threads of the group reach.</summary>
    DivergentBarrier,

    /// <summary>An instruction of the whole warp that not all its lanes reach.</summary>
    DivergentWarp,

    /// <summary>Rows of an ldmatrix in the same banks.</summary>
    BankConflict,

    /// <summary>More instructions than the budget of the launch.</summary>
    Endless,

    /// <summary>A launch that a device would refuse.</summary>
    Launch,

    /// <summary>What the machine does not know, or the kernel itself reports.</summary>
    Other,
}

/// <summary>A line of the C# source.</summary>
/// <param name="File">Path of the file.</param>
/// <param name="Line">From 1.</param>
public readonly record struct SourceLine(string File, int Line)
{
    /// <summary>As in <c>Forward.cs:64</c>.</summary>
    public override string ToString() => $"{Path.GetFileName(File)}:{Line}";
}

/// <summary>A kernel did what no correct kernel does: the message names the fault, the line, the instruction and the
/// thread.</summary>
public sealed class PtxFaultException : Exception
{
    internal PtxFaultException(PtxFaultKind kind, string message, SourceLine? other = null, Exception? inner = null)
        : base(message, inner) => (Kind, OtherLine) = (kind, other);

    /// <summary>What is wrong.</summary>
    public PtxFaultKind Kind { get; }

    /// <summary>The C# line; null where the PTX names none.</summary>
    public SourceLine? Line { get; init; }

    /// <summary>The line of the other access of a race, of the copy that was not waited for, or of the barrier at which
    /// the others are.</summary>
    public SourceLine? OtherLine { get; }
}

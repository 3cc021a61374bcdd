namespace S2ILGPU.TestSupport.Ptx;

/// <summary>How an instruction takes part in the control of its warp.</summary>
internal enum Flow
{
    /// <summary>The next instruction follows.</summary>
    Sequential,

    /// <summary>Lanes may go different ways.</summary>
    Branch,

    /// <summary>Lanes end.</summary>
    Exit,

    /// <summary>All lanes of the warp take part: those that are here wait for the others.</summary>
    WarpCollective,

    /// <summary>All warps of the group meet.</summary>
    GroupBarrier,
}

/// <summary>A decoded instruction: operands are byte offsets into the registers of a warp, 32 lanes to a
/// register.</summary>
internal abstract class Instruction
{
    /// <summary>The instruction as written; set by the decoder.</summary>
    public PtxStatement Statement { get; set; } = null!;

    /// <summary>The C# line that it came from; null where the text names none.</summary>
    public SourceLine? Source { get; set; }

    /// <summary>Offset of the guard's lane mask, or -1.</summary>
    public int Guard { get; set; } = -1;

    /// <summary>All bits set when the guard is negated.</summary>
    public uint GuardInversion { get; set; }

    public virtual Flow Flow => Flow.Sequential;

    /// <summary>Executes for the lanes whose bit is set; there is at least one.</summary>
    public abstract void Execute(Warp warp, uint lanes);
}

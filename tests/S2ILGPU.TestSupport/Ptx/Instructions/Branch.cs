namespace S2ILGPU.TestSupport.Ptx;

/// <summary>Where a lane goes that takes the branch.</summary>
internal interface IBranch
{
    int TargetOf(Warp warp, int lane);
}

/// <summary><c>bra</c>.</summary>
internal sealed class Branch(int target) : Instruction, IBranch
{
    public int Target { get; } = target;

    public override Flow Flow => Flow.Branch;

    public int TargetOf(Warp warp, int lane) => Target;

    public override void Execute(Warp warp, uint lanes) =>
        throw new InvalidOperationException("the warp itself branches");
}

/// <summary><c>brx.idx</c>: a branch to the label of a list that a register chooses.</summary>
internal sealed unsafe class IndexedBranch(int index, int[] targets) : Instruction, IBranch
{
    public override Flow Flow => Flow.Branch;

    public int TargetOf(Warp warp, int lane)
    {
        uint chosen = Cell<uint>.Get(warp.Registers + index, lane);
        return chosen < targets.Length ? targets[chosen]
            : throw new PtxFaultException(PtxFaultKind.Other, $"index {chosen} of {targets.Length} branch targets");
    }

    public override void Execute(Warp warp, uint lanes) =>
        throw new InvalidOperationException("the warp itself branches");
}

/// <summary><c>ret</c> and <c>exit</c>.</summary>
internal sealed class Exit : Instruction
{
    public override Flow Flow => Flow.Exit;

    public override void Execute(Warp warp, uint lanes) =>
        throw new InvalidOperationException("the warp itself ends lanes");
}

/// <summary>What has no effect on what a thread computes: fences, prefetches.</summary>
internal sealed class Nothing : Instruction
{
    public override void Execute(Warp warp, uint lanes)
    {
    }
}

/// <summary><c>trap</c>.</summary>
internal sealed class Trap : Instruction
{
    public override void Execute(Warp warp, uint lanes) => throw new PtxFaultException(PtxFaultKind.Other, "trap");
}

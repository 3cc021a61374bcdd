using System.Numerics;

namespace S2ILGPU.TestSupport.Ptx;

/// <summary><c>bar.warp.sync</c>: orders the memory of the warp's lanes.</summary>
internal sealed class WarpBarrier : Instruction
{
    public override Flow Flow => Flow.WarpCollective;

    public override void Execute(Warp warp, uint lanes) => warp.Barriers++;
}

/// <summary><c>bar.sync</c>, and <c>bar.red</c>, which also combines a predicate of all threads: d = the number of
/// threads where it holds, or whether it holds for all, or for any.</summary>
/// <param name="d">Result, or -1.</param>
/// <param name="p">Predicate, or -1.</param>
/// <param name="inversion">All bits set when the predicate is negated.</param>
/// <param name="function">p(opc), a(nd) or o(r).</param>
internal sealed unsafe class GroupBarrier(int d = -1, int p = -1, uint inversion = 0, char function = ' ') : Instruction
{
    public override Flow Flow => Flow.GroupBarrier;

    public override void Execute(Warp warp, uint lanes)
    {
    }

    /// <summary>All warps are here.</summary>
    public void Meet(Warp[] warps)
    {
        if (d < 0)
            return;
        int holds = warps.Sum(warp => BitOperations.PopCount((*(uint*)(warp.Registers + p) ^ inversion) & warp.Live)),
            threads = warps.Sum(warp => BitOperations.PopCount(warp.Live));
        foreach (var warp in warps)
        {
            byte* result = warp.Registers + d;
            if (function == 'p')
                for (int lane = 0; lane < 32; lane++)
                    Cell<int>.Set(result, lane, holds);
            else
                *(uint*)result = (function == 'a' ? holds == threads : holds > 0) ? uint.MaxValue : 0;
        }
    }
}

using System.Numerics;

namespace S2ILGPU.TestSupport.Ptx;

/// <summary><c>cp.async</c>: copies 4, 8 or 16 bytes from global to shared memory; the bytes that the source size
/// leaves out are zero.</summary>
/// <param name="target">Shared address.</param>
/// <param name="source">Global address.</param>
/// <param name="bytes">Size of the copy.</param>
/// <param name="sourceBytes">Register with the bytes to read, or -1 for all.</param>
internal sealed unsafe class AsyncCopy(PtxPointer target, PtxPointer source, int bytes, int sourceBytes) : Instruction
{
    public override void Execute(Warp warp, uint lanes)
    {
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            int read = sourceBytes < 0 ? bytes : (int)Cell<uint>.Get(warp.Registers + sourceBytes, lane);
            warp.Copies.Issue(lane, (uint)target.Of(warp, lane), source.Of(warp, lane), bytes, read);
        }
    }
}

/// <summary><c>cp.async.commit_group</c>.</summary>
internal sealed class CommitCopies : Instruction
{
    public override void Execute(Warp warp, uint lanes)
    {
        for (; lanes != 0; lanes &= lanes - 1)
            warp.Copies.Commit(BitOperations.TrailingZeroCount(lanes));
    }
}

/// <summary><c>cp.async.wait_group</c> and <c>cp.async.wait_all</c>.</summary>
/// <param name="underWay">Groups that may stay under way, or -1 to wait for everything.</param>
internal sealed class WaitForCopies(int underWay) : Instruction
{
    public override void Execute(Warp warp, uint lanes)
    {
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            if (underWay < 0)
                warp.Copies.WaitAll(lane);
            else
                warp.Copies.Wait(lane, underWay);
        }
    }
}

using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>What the lanes of a warp find out together.</summary>
internal static class WarpVote
{
    /// <summary>1 if a lane of the warp has 1, else 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Any(int flag)
    {
        for (int distance = 1; distance < 32; distance *= 2)
            flag |= Warp.ShuffleXor(flag, distance);
        return flag;
    }
}

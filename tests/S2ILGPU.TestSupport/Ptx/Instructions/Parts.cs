using System.Numerics;

namespace S2ILGPU.TestSupport.Ptx;

/// <summary><c>mov d, {a, b, ...}</c>: the first part in the lowest bits.</summary>
internal sealed unsafe class JoinParts(int d, int partBytes, int[] parts) : Instruction
{
    public override void Execute(Warp warp, uint lanes)
    {
        int laneBytes = partBytes * parts.Length;
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            ulong value = 0;
            for (int n = 0; n < parts.Length; n++)
                value |= (Cell<uint>.Get(warp.Registers + parts[n], lane) & ((1ul << partBytes * 8) - 1)) << n
                    * partBytes * 8;
            if (laneBytes == 8)
                Cell<ulong>.Set(warp.Registers + d, lane, value);
            else
                Cell<uint>.Set(warp.Registers + d, lane, (uint)value);
        }
    }
}

/// <summary><c>mov {d, e, ...}, a</c>: the lowest bits into the first part.</summary>
internal sealed unsafe class SplitParts(int[] parts, int partBytes, int a) : Instruction
{
    public override void Execute(Warp warp, uint lanes)
    {
        bool isWide = partBytes * parts.Length == 8;
        for (; lanes != 0; lanes &= lanes - 1)
        {
            int lane = BitOperations.TrailingZeroCount(lanes);
            ulong value = isWide ? Cell<ulong>.Get(warp.Registers + a, lane) : Cell<uint>.Get(warp.Registers + a, lane);
            for (int n = 0; n < parts.Length; n++)
                Cell<uint>.Set(warp.Registers + parts[n], lane,
                    (uint)(value >> n * partBytes * 8 & ((1ul << partBytes * 8) - 1)));
        }
    }
}

/// <summary>Instructions that one statement stands for.</summary>
internal sealed class Sequence(params Instruction[] instructions) : Instruction
{
    public override void Execute(Warp warp, uint lanes)
    {
        foreach (var instruction in instructions)
            instruction.Execute(warp, lanes);
    }
}

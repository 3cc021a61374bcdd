using ILGPU;
using ILGPU.IR.Intrinsics;

namespace S2ILGPU.Tiles;

/// <content>Matrix operands and products. Lane l holds row g = l / 4 and columns 2t, 2t + 1 with t = l % 4 of an 8x8
/// matrix.</content>
internal static partial class Intrinsics
{
    /// <summary>Loads four 8x8 matrices of 16-bit elements from shared memory; lane l gives the address of row l % 8 of
    /// matrix l / 8 (16 bytes, aligned).</summary>
    [IntrinsicImplementation]
    public static U4 LoadMatrix(uint address, uint offset, ref U4 shared) =>
        LoadMatrix(address + offset, ref shared, transpose: false);

    /// <summary>The same, each matrix transposed.</summary>
    [IntrinsicImplementation]
    public static U4 LoadMatrixTransposed(uint address, uint offset, ref U4 shared) =>
        LoadMatrix(address + offset, ref shared, transpose: true);

    private static U4 LoadMatrix(uint address, ref U4 shared, bool transpose)
    {
        int lane = Warp.LaneIdx, t = lane & 3, g = lane >> 2;
        Span<uint> rows = stackalloc uint[32], parts = stackalloc uint[4];
        Raw.Address(ref shared);
        Raw.Gather(address, rows);
        for (int m = 0; m < 4; m++)
        {
            parts[m] = transpose
                ? Raw.Read<U4, ushort>(ref shared, rows[m * 8 + t * 2] + g * 2) | (uint)Raw.Read<U4,
                ushort>(ref shared, rows[m * 8 + t * 2 + 1] + g * 2) << 16
                : Raw.Read<U4, uint>(ref shared, rows[m * 8 + g] + t * 4);
        }
        return new() { X = parts[0], Y = parts[1], Z = parts[2], W = parts[3] };
    }

    /// <summary><c>A B + C</c> with A 16x16, B 16x8 of bfloat16 elements, C and the result 16x8 of floats.</summary>
    [IntrinsicImplementation]
    public static F4 MultiplyAddBf16(F4 c, U4 a, U2 b) => MultiplyAdd<BFloat16Words>(c, a, b);

    /// <summary><c>A B + C</c> with A 16x16, B 16x8 of half-precision elements, C and the result 16x8 of
    /// floats.</summary>
    [IntrinsicImplementation]
    public static F4 MultiplyAddFp16(F4 c, U4 a, U2 b) => MultiplyAdd<HalfWords>(c, a, b);

    /// <summary><c>A B + C</c> with A 16x8, B 8x8 of single-precision elements, one in each word, of which the last 13
    /// bits are ignored, C and the result 16x8 of floats. A lane holds column t where it holds columns 2t, 2t + 1 of
    /// 16-bit elements.</summary>
    [IntrinsicImplementation]
    public static F4 MultiplyAddTf32(F4 c, U4 a, U2 b) => MultiplyAdd<Tf32Words>(c, a, b);

    private struct Operands
    {
        public U4 A;
        public U2 B;
    }

    private static F4 MultiplyAdd<TWords>(F4 c, U4 a, U2 b) where TWords : IWords
    {
        int lane = Warp.LaneIdx, t = lane & 3, quad = lane & ~3;
        Span<Operands> all = stackalloc Operands[32];
        Raw.Gather(new Operands { A = a, B = b }, all);
        for (int q = 0; q < 4; q++)                     // the inner columns of word q, and those of word q + 4
        {
            ref var rows = ref all[quad + q].A;
            ref var left = ref all[t * 8 + q].B;        // output column 2t
            ref var right = ref all[t * 8 + 4 + q].B;   // output column 2t + 1
            c.X += TWords.Dot(rows.X, left.X) + TWords.Dot(rows.Z, left.Y);
            c.Y += TWords.Dot(rows.X, right.X) + TWords.Dot(rows.Z, right.Y);
            c.Z += TWords.Dot(rows.Y, left.X) + TWords.Dot(rows.W, left.Y);
            c.W += TWords.Dot(rows.Y, right.X) + TWords.Dot(rows.W, right.Y);
        }
        return c;
    }

    // The elements of a word.
    private interface IWords
    {
        static abstract float Dot(uint a, uint b);
    }

    private readonly struct BFloat16Words : IWords
    {
        public static float Dot(uint a, uint b) =>
            BitConverter.UInt32BitsToSingle(a << 16) * BitConverter.UInt32BitsToSingle(b << 16)
            + BitConverter.UInt32BitsToSingle(a & 0xffff0000u) * BitConverter.UInt32BitsToSingle(b & 0xffff0000u);
    }

    private readonly struct HalfWords : IWords
    {
        public static float Dot(uint a, uint b) =>
            WidenFp16(a) * WidenFp16(b) + WidenFp16(a >> 16) * WidenFp16(b >> 16);
    }

    private readonly struct Tf32Words : IWords
    {
        public static float Dot(uint a, uint b) =>
            BitConverter.UInt32BitsToSingle(a & 0xffffe000u) * BitConverter.UInt32BitsToSingle(b & 0xffffe000u);
    }
}

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
    public static F4 MultiplyAddBf16(F4 c, U4 a, U2 b) => MultiplyAdd(c, a, b, bf16: true);

    /// <summary><c>A B + C</c> with A 16x16, B 16x8 of half-precision elements, C and the result 16x8 of
    /// floats.</summary>
    [IntrinsicImplementation]
    public static F4 MultiplyAddFp16(F4 c, U4 a, U2 b) => MultiplyAdd(c, a, b, bf16: false);

    private struct Operands
    {
        public U4 A;
        public U2 B;
    }

    private static F4 MultiplyAdd(F4 c, U4 a, U2 b, bool bf16)
    {
        int lane = Warp.LaneIdx, t = lane & 3, quad = lane & ~3;
        Span<Operands> all = stackalloc Operands[32];
        Raw.Gather(new Operands { A = a, B = b }, all);
        for (int q = 0; q < 4; q++)                     // inner columns 2q, 2q + 1 and 2q + 8, 2q + 9
        {
            ref var rows = ref all[quad + q].A;
            ref var left = ref all[t * 8 + q].B;        // output column 2t
            ref var right = ref all[t * 8 + 4 + q].B;   // output column 2t + 1
            c.X += Dot(rows.X, left.X, bf16) + Dot(rows.Z, left.Y, bf16);
            c.Y += Dot(rows.X, right.X, bf16) + Dot(rows.Z, right.Y, bf16);
            c.Z += Dot(rows.Y, left.X, bf16) + Dot(rows.W, left.Y, bf16);
            c.W += Dot(rows.Y, right.X, bf16) + Dot(rows.W, right.Y, bf16);
        }
        return c;
    }

    private static float Dot(uint a, uint b, bool bf16) => bf16
        ? BitConverter.UInt32BitsToSingle(a << 16) * BitConverter.UInt32BitsToSingle(b << 16)
            + BitConverter.UInt32BitsToSingle(a & 0xffff0000u) * BitConverter.UInt32BitsToSingle(b & 0xffff0000u)
        : (float)BitConverter.UInt16BitsToHalf((ushort)a) * (float)BitConverter.UInt16BitsToHalf((ushort)b)
            + (float)BitConverter.UInt16BitsToHalf((ushort)(a >> 16))
            * (float)BitConverter.UInt16BitsToHalf((ushort)(b >> 16));
}

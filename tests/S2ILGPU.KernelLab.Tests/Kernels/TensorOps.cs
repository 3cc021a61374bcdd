using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.IR.Intrinsics;

namespace S2ILGPU.KernelLab.Tests.Kernels;

/// <summary>Sixteen bytes: eight bfloat16 values, or a fragment of a matrix.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct U4
{
    public uint X, Y, Z, W;
}

/// <summary>A fragment of an accumulator.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct F4
{
    public float X, Y, Z, W;
}

/// <summary>Device primitives as a kernel library would have them, with bodies for the lab.</summary>
public static class TensorOps
{
    /// <summary>Four 8 x 8 matrices of 16-bit elements (ldmatrix.x4): lane l gives the place of row l % 8 of matrix l / 8.</summary>
    [IntrinsicImplementation]
    public static U4 LoadMatrices(ref U4 shared, int byteOffset, bool transposed)
    {
        int t = Warp.LaneIdx & 3;
        int g = Warp.LaneIdx >> 2;
        Span<int> at = stackalloc int[32];
        Span<uint> words = stackalloc uint[4];
        Raw.Address(ref shared);
        Raw.Gather(byteOffset, at);
        for (int m = 0; m < 4; m++)
        {
            if (transposed)
            {
                uint low = Raw.Read<U4, ushort>(ref shared, at[m * 8 + t * 2] + g * 2);
                words[m] = low | (uint)Raw.Read<U4, ushort>(ref shared, at[m * 8 + t * 2 + 1] + g * 2) << 16;
            }
            else
            {
                words[m] = Raw.Read<U4, uint>(ref shared, at[m * 8 + g] + t * 4);
            }
        }
        return new U4 { X = words[0], Y = words[1], Z = words[2], W = words[3] };
    }

    /// <summary>C + A B for A 16 x 16 and B 16 x 8 of bfloat16 (mma.m16n8k16).</summary>
    [IntrinsicImplementation]
    public static F4 Multiply(F4 c, U4 a, uint b0, uint b1)
    {
        int t = Warp.LaneIdx & 3;
        int quad = Warp.LaneIdx & ~3;
        Span<(U4 A, uint B0, uint B1)> all = stackalloc (U4, uint, uint)[32];
        Raw.Gather((a, b0, b1), all);
        for (int q = 0; q < 4; q++)
        {
            var left = all[quad + q].A;
            var even = all[2 * t * 4 + q];
            var odd = all[2 * t * 4 + q + 4];
            c.X += Dot(left.X, even.B0) + Dot(left.Z, even.B1);
            c.Y += Dot(left.X, odd.B0) + Dot(left.Z, odd.B1);
            c.Z += Dot(left.Y, even.B0) + Dot(left.W, even.B1);
            c.W += Dot(left.Y, odd.B0) + Dot(left.W, odd.B1);
        }
        return c;
    }

    /// <summary>Two floats as bfloat16, rounded to nearest even.</summary>
    public static uint Pack(float low, float high) => ToBFloat16(low) | (uint)ToBFloat16(high) << 16;

    public static ushort ToBFloat16(float value)
    {
        uint bits = Interop.FloatAsInt(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    public static float Low(uint pair) => Interop.IntAsFloat(pair << 16);

    public static float High(uint pair) => Interop.IntAsFloat(pair & 0xFFFF0000);

    private static float Dot(uint a, uint b) => Low(a) * Low(b) + High(a) * High(b);
}

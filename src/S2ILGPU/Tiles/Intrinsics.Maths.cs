using ILGPU;
using ILGPU.IR.Intrinsics;

namespace S2ILGPU.Tiles;

/// <content>Functions of the special function unit, and conversions.</content>
internal static partial class Intrinsics
{
    /// <summary><c>2^x</c>, relative error 2^-22; results below the normal range are 0.</summary>
    [IntrinsicImplementation]
    public static float Exp2(float x)
    {
        float power = MathF.Pow(2f, x);
        return power < 1.17549435e-38f ? 0f : power;
    }

    /// <summary>Logarithm to base 2.</summary>
    [IntrinsicImplementation]
    public static float Log2(float x) => MathF.Log2(x);

    /// <summary><c>1 / x</c>, error at most 1 unit in the last place.</summary>
    [IntrinsicImplementation]
    public static float Reciprocal(float x) => 1f / x;

    /// <summary>Two floats rounded to bfloat16 (to nearest, ties to even), the first in the low half.</summary>
    [IntrinsicImplementation]
    public static uint PackBf16(float low, float high) => Rounded(low) >> 16 | Rounded(high) & 0xffff0000u;

    private static uint Rounded(float x)
    {
        uint bits = BitConverter.SingleToUInt32Bits(x);
        return float.IsNaN(x) ? 0x7fff0000u : bits + 0x7fffu + (bits >> 16 & 1u);
    }

    /// <summary>Two floats rounded to half precision (to nearest, ties to even), the first in the low half.</summary>
    [IntrinsicImplementation]
    public static uint PackFp16(float low, float high) =>
        BitConverter.HalfToUInt16Bits((System.Half)low) | (uint)BitConverter.HalfToUInt16Bits((System.Half)high) << 16;

    /// <summary>The bits of a float rounded to TF32, 10 bits of fraction (to nearest, ties away from zero).</summary>
    [IntrinsicImplementation]
    public static uint RoundTf32(uint bits) =>
        (bits & 0x7fffffffu) > 0x7f800000u ? 0x7fffffffu : (bits + 0x1000u) & 0xffffe000u;

    /// <summary>The half-precision number in the low 16 bits.</summary>
    [IntrinsicImplementation]
    public static float WidenFp16(uint bits) => (float)BitConverter.UInt16BitsToHalf((ushort)bits);
}

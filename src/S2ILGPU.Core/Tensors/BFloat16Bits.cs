using System.Runtime.CompilerServices;

namespace S2ILGPU.Tensors;

/// <summary>bfloat16 on the host: the upper 16 bits of a single. The one conversion; kernels have their own
/// instructions.</summary>
public static class BFloat16Bits
{
    /// <summary>The value, exactly.</summary>
    /// <param name="bits">The 16 bits.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Widen(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>The nearest bfloat16, ties to even.</summary>
    /// <param name="value">The value.</param>
    /// <remarks>Adding 0x7FFF and the lowest kept bit carries exactly when the dropped half is above one half, or is
    /// one half and the kept part odd. A NaN keeps a mantissa bit.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ushort Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)(float.IsNaN(value) ? bits >> 16 | 0x40 : bits + 0x7FFF + (bits >> 16 & 1) >> 16);
    }
}

using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>A 16-bit element type of tensor cores. Two elements are packed into a word, the first in the low
/// half.</summary>
internal interface IElement
{
    /// <summary><c>A B + C</c> with A 16x16, B 16x8, C and the result 16x8 of floats.</summary>
    static abstract F4 MultiplyAdd(F4 c, U4 a, U2 b);

    /// <summary>Two floats, rounded to nearest, ties to even.</summary>
    static abstract uint Pack(float low, float high);

    /// <summary>The first element of a word.</summary>
    static abstract float Low(uint word);

    /// <summary>The second element of a word.</summary>
    static abstract float High(uint word);
}

/// <summary>bfloat16: the upper 16 bits of a float.</summary>
internal readonly struct BFloat16Element : IElement
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 MultiplyAdd(F4 c, U4 a, U2 b) => Intrinsics.MultiplyAddBf16(c, a, b);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Pack(float low, float high) => Intrinsics.PackBf16(low, high);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Low(uint word) => Interop.IntAsFloat(word << 16);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float High(uint word) => Interop.IntAsFloat(word & 0xffff0000u);
}

/// <summary>IEEE half precision.</summary>
internal readonly struct HalfElement : IElement
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 MultiplyAdd(F4 c, U4 a, U2 b) => Intrinsics.MultiplyAddFp16(c, a, b);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Pack(float low, float high) => Intrinsics.PackFp16(low, high);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Low(uint word) => Intrinsics.WidenFp16(word);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float High(uint word) => Intrinsics.WidenFp16(word >> 16);
}

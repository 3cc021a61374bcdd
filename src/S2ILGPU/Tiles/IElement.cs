using System.Runtime.CompilerServices;
using ILGPU;

namespace S2ILGPU.Tiles;

/// <summary>An element type of tensor cores. Two elements of 16 bits are packed into a word, the first in the low
/// half.</summary>
internal interface IElement
{
    /// <summary><c>A B + C</c> with A 16x16, B 16x8, C and the result 16x8 of floats; of elements of 32 bits A has 8
    /// columns, B 8 rows.</summary>
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

/// <summary>Single precision, rounded to TF32 on the way to the product. Kernels count its operands in halves of an
/// element, so that they lie in memory as 16-bit elements do; results of 16 bits are bfloat16.</summary>
internal readonly struct Tf32Element : IElement
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 MultiplyAdd(F4 c, U4 a, U2 b) => Intrinsics.MultiplyAddTf32(c,
        new() { X = Intrinsics.RoundTf32(a.X), Y = Intrinsics.RoundTf32(a.Y), Z = Intrinsics.RoundTf32(a.Z),
            W = Intrinsics.RoundTf32(a.W) },
        new() { X = Intrinsics.RoundTf32(b.X), Y = Intrinsics.RoundTf32(b.Y) });

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Pack(float low, float high) => Intrinsics.PackBf16(low, high);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Low(uint word) => BFloat16Element.Low(word);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float High(uint word) => BFloat16Element.High(word);
}

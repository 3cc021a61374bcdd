using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace S2ILGPU.Cpu.Simd;

/// <summary>8 floats in a 256-bit register.</summary>
internal readonly unsafe struct Simd256(Vector256<float> value) : ISimd<Simd256>
{
    private readonly Vector256<float> _v = value;

    public static int Count => 8;

    public static bool HasManyRegisters => Vector512.IsHardwareAccelerated;

    public static Simd256 Zero { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => new(Vector256<float>.Zero); }

    public static Simd256 Iota { [MethodImpl(MethodImplOptions.AggressiveInlining)] get =>
        new(Vector256.Create(0f, 1, 2, 3, 4, 5, 6, 7)); }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 Create(float value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 Load(float* source) => new(Vector256.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Simd256 value, float* destination) => Vector256.Store(value._v, destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 LoadBFloat16(ushort* source) =>
        new(Vector256.ShiftLeft(Vector256.WidenLower(Vector256.Create(Vector128.Load(source), Vector128<ushort>.Zero)),
        16).AsSingle());

    // See BFloat16Bits.Round.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBFloat16(Simd256 value, ushort* destination)
    {
        var bits = value._v.AsUInt32();
        var rounded = bits + Vector256.Create(0x7FFFu) + (Vector256.ShiftRightLogical(bits, 16) & Vector256.Create(1u));
        var isNumber = Vector256.Equals(value._v, value._v).AsUInt32();
        var kept = Vector256.ShiftRightLogical(
            Vector256.ConditionalSelect(isNumber, rounded, bits | Vector256.Create(0x400000u)), 16);
        Vector128.Store(Vector128.Narrow(kept.GetLower(), kept.GetUpper()), destination);
    }

    // Exponent and mantissa of a half are those of a float times 2^-112, subnormals too; only infinity and NaN need
    // their exponent set.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 LoadFloat16(ushort* source)
    {
        var bits = Vector256.WidenLower(Vector256.Create(Vector128.Load(source), Vector128<ushort>.Zero));
        var magnitude = Vector256.ShiftLeft(bits & Vector256.Create(0x7FFFu), 13);
        var special = Vector256.GreaterThan(magnitude.AsInt32(), Vector256.Create(0x0F7FE000))
            .AsUInt32() & Vector256.Create(0x7F800000u);
        var value = (magnitude.AsSingle() * Vector256.Create(5.192296858534828e33f)).AsUInt32() | special;
        return new((value | Vector256.ShiftLeft(bits & Vector256.Create(0x8000u), 16)).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 LoadInt8(sbyte* source) => new(Vector256.ConvertToSingle(Int8(source)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<int> Int8(sbyte* source) => Avx2.IsSupported
        ? Avx2.ConvertToVector256Int32(source)
        : Vector256.Create(Simd128.Int8(source), Simd128.Int8(source + 4));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 FusedMultiplyAdd(Simd256 a, Simd256 b, Simd256 c) =>
        new(Vector256.MultiplyAddEstimate(a._v, b._v, c._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 Max(Simd256 a, Simd256 b) => new(Vector256.MaxNative(a._v, b._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 Min(Simd256 a, Simd256 b) => new(Vector256.MinNative(a._v, b._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 Sqrt(Simd256 a) => new(Vector256.Sqrt(a._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 Log2(Simd256 a) => new(Vector256.Log2(a._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 ShiftToExponent(Simd256 a) => new(Vector256.ShiftLeft(a._v.AsInt32(), 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 SelectGreaterOrEqual(Simd256 a, Simd256 b, Simd256 ifTrue, Simd256 ifFalse) =>
        new(Vector256.ConditionalSelect(Vector256.GreaterThanOrEqual(a._v, b._v), ifTrue._v, ifFalse._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Simd256 a)
    {
        return Simd128.Sum(Half(a));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSums(Simd256 a, Simd256 b, Simd256 c, Simd256 d, float* destination) =>
        Simd128.StoreSums(Half(a), Half(b), Half(c), Half(d), destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Simd128 Half(Simd256 a) => new(a._v.GetLower() + a._v.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxElement(Simd256 a)
    {
        return Simd128.MaxElement(new(Vector128.Max(a._v.GetLower(), a._v.GetUpper())));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(float* source, nint sourceStride, float* destination, nint destinationStride,
        Simd256 factor)
    {
        for (nint r = 0; r < 8; r += 4)
            for (nint c = 0; c < 8; c += 4)
                Simd128.Transpose(source + r * sourceStride + c, sourceStride, destination + c * destinationStride + r,
                    destinationStride, new(factor._v.GetLower()));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 operator +(Simd256 left, Simd256 right) => new(left._v + right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 operator -(Simd256 left, Simd256 right) => new(left._v - right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 operator *(Simd256 left, Simd256 right) => new(left._v * right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd256 operator /(Simd256 left, Simd256 right) => new(left._v / right._v);
}

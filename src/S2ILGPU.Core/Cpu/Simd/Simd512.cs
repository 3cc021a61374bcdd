using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace S2ILGPU.Cpu.Simd;

/// <summary>16 floats in a 512-bit register.</summary>
internal readonly unsafe struct Simd512(Vector512<float> value) : ISimd<Simd512>
{
    // Of Avx512DQ.Reduce: towards negative infinity.
    private const byte RoundDown = 1;

    private readonly Vector512<float> _v = value;

    public static int Count => 16;

    public static bool HasManyRegisters => true;

    public static Simd512 Zero { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => new(Vector512<float>.Zero); }

    public static Simd512 Iota { [MethodImpl(MethodImplOptions.AggressiveInlining)] get =>
        new(Vector512.Create(0f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)); }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Create(float value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Load(float* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Simd512 value, float* destination) => Vector512.Store(value._v, destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 LoadBFloat16(ushort* source) =>
        new(Vector512.ShiftLeft(Vector512.WidenLower(Vector512.Create(Vector256.Load(source), Vector256<ushort>.Zero)),
        16).AsSingle());

    // See BFloat16Bits.Round.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBFloat16(Simd512 value, ushort* destination)
    {
        var bits = value._v.AsUInt32();
        var rounded = bits + Vector512.Create(0x7FFFu) + (Vector512.ShiftRightLogical(bits, 16) & Vector512.Create(1u));
        var isNumber = Vector512.Equals(value._v, value._v).AsUInt32();
        var kept = Vector512.ShiftRightLogical(
            Vector512.ConditionalSelect(isNumber, rounded, bits | Vector512.Create(0x400000u)), 16);
        Vector256.Store(Avx512F.IsSupported ? Avx512F.ConvertToVector256UInt16(kept)
            : Vector256.Narrow(kept.GetLower(), kept.GetUpper()), destination);
    }

    // Exponent and mantissa of a half are those of a float times 2^-112, subnormals too; only infinity and NaN need
    // their exponent set.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 LoadFloat16(ushort* source)
    {
        var bits = Vector512.WidenLower(Vector512.Create(Vector256.Load(source), Vector256<ushort>.Zero));
        var magnitude = Vector512.ShiftLeft(bits & Vector512.Create(0x7FFFu), 13);
        var special = Vector512.GreaterThan(magnitude.AsInt32(), Vector512.Create(0x0F7FE000))
            .AsUInt32() & Vector512.Create(0x7F800000u);
        var value = (magnitude.AsSingle() * Vector512.Create(5.192296858534828e33f)).AsUInt32() | special;
        return new((value | Vector512.ShiftLeft(bits & Vector512.Create(0x8000u), 16)).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 LoadInt8(sbyte* source) => new(Vector512.ConvertToSingle(Int8(source)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Int8(sbyte* source) => Avx512F.IsSupported
        ? Avx512F.ConvertToVector512Int32(Vector128.Load(source))
        : Vector512.Create(Simd256.Int8(source), Simd256.Int8(source + 8));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 FusedMultiplyAdd(Simd512 a, Simd512 b, Simd512 c) =>
        new(Vector512.FusedMultiplyAdd(a._v, b._v, c._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Max(Simd512 a, Simd512 b) => new(Vector512.MaxNative(a._v, b._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Min(Simd512 a, Simd512 b) => new(Vector512.MinNative(a._v, b._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Sqrt(Simd512 a) => new(Vector512.Sqrt(a._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Log2(Simd512 a) => new(Vector512.Log2(a._v));

    public static bool HasFractionInstruction => Avx512DQ.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Fraction(Simd512 a) => new(Avx512DQ.Reduce(a._v, RoundDown));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 ScaleByPowerOfTwo(Simd512 a, Simd512 n) => new(Avx512F.Scale(a._v, n._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 ShiftToExponent(Simd512 a) => new(Vector512.ShiftLeft(a._v.AsInt32(), 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 SelectGreaterOrEqual(Simd512 a, Simd512 b, Simd512 ifTrue, Simd512 ifFalse) =>
        new(Vector512.ConditionalSelect(Vector512.GreaterThanOrEqual(a._v, b._v), ifTrue._v, ifFalse._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Simd512 a)
    {
        if (!Avx512F.IsSupported)
            return Simd256.Sum(Half(a));
        var pairs = a._v + Avx512F.Shuffle(a._v, a._v, 0x4E);
        var sums = pairs + Avx512F.Shuffle(pairs, pairs, 0xB1);
        var half = sums.GetLower() + sums.GetUpper();
        return (half.GetLower() + half.GetUpper()).ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSums(Simd512 a, Simd512 b, Simd512 c, Simd512 d, float* destination)
    {
        if (!Avx512F.IsSupported)
        {
            Simd256.StoreSums(Half(a), Half(b), Half(c), Half(d), destination);
            return;
        }
        // Pairs inside the 128-bit lanes, then the lanes.
        var (ab, cd) = (Avx512F.UnpackLow(a._v, b._v) + Avx512F.UnpackHigh(a._v, b._v),
            Avx512F.UnpackLow(c._v, d._v) + Avx512F.UnpackHigh(c._v, d._v));
        var sums = Avx512F.Shuffle(ab, cd, 0x44) + Avx512F.Shuffle(ab, cd, 0xEE);
        var half = sums.GetLower() + sums.GetUpper();
        Vector128.Store(half.GetLower() + half.GetUpper(), destination);
    }

    private static Simd256 Half(Simd512 a) => new(a._v.GetLower() + a._v.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxElement(Simd512 a)
    {
        var half = Vector256.Max(a._v.GetLower(), a._v.GetUpper());
        return Simd128.MaxElement(new(Vector128.Max(half.GetLower(), half.GetUpper())));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(float* source, nint sourceStride, float* destination, nint destinationStride,
        Simd512 factor)
    {
        if (!Avx512F.IsSupported)
        {
            for (nint r = 0; r < 16; r += 8)
                for (nint c = 0; c < 16; c += 8)
                    Simd256.Transpose(source + r * sourceStride + c, sourceStride,
                        destination + c * destinationStride + r, destinationStride, new(factor._v.GetLower()));
            return;
        }
        // 4x4 transpositions inside the 128-bit lanes of four rows each, then the lanes change places.
        var (a0, a1, a2, a3) = TransposeLanes(source, sourceStride);
        var (b0, b1, b2, b3) = TransposeLanes(source + 4 * sourceStride, sourceStride);
        var (c0, c1, c2, c3) = TransposeLanes(source + 8 * sourceStride, sourceStride);
        var (d0, d1, d2, d3) = TransposeLanes(source + 12 * sourceStride, sourceStride);
        StoreLanes(a0, b0, c0, d0, destination, destinationStride, factor._v);
        StoreLanes(a1, b1, c1, d1, destination + destinationStride, destinationStride, factor._v);
        StoreLanes(a2, b2, c2, d2, destination + 2 * destinationStride, destinationStride, factor._v);
        StoreLanes(a3, b3, c3, d3, destination + 3 * destinationStride, destinationStride, factor._v);
    }

    // Lane L of result q holds column 4L + q of four rows.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<float>, Vector512<float>, Vector512<float>,
        Vector512<float>) TransposeLanes(float* source, nint stride)
    {
        var (a, b, c, d) = (Vector512.Load(source), Vector512.Load(source + stride),
            Vector512.Load(source + 2 * stride), Vector512.Load(source + 3 * stride));
        var (ab0, ab1, cd0, cd1) = (Avx512F.UnpackLow(a, b), Avx512F.UnpackHigh(a, b), Avx512F.UnpackLow(c, d),
            Avx512F.UnpackHigh(c, d));
        return (Avx512F.Shuffle(ab0, cd0, 0x44), Avx512F.Shuffle(ab0, cd0, 0xEE), Avx512F.Shuffle(ab1, cd1, 0x44),
            Avx512F.Shuffle(ab1, cd1, 0xEE));
    }

    // Lane L of a, b, c, d: column 4L + q of rows 0-3, 4-7, 8-11, 12-15. Writes columns q, 4 + q, 8 + q, 12 + q.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreLanes(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d,
        float* destination, nint stride, Vector512<float> factor)
    {
        var (ab0, ab1, cd0, cd1) = (Avx512F.Shuffle4x128(a, b, 0x44), Avx512F.Shuffle4x128(a, b, 0xEE),
            Avx512F.Shuffle4x128(c, d, 0x44), Avx512F.Shuffle4x128(c, d, 0xEE));
        Vector512.Store(Avx512F.Shuffle4x128(ab0, cd0, 0x88) * factor, destination);
        Vector512.Store(Avx512F.Shuffle4x128(ab0, cd0, 0xDD) * factor, destination + 4 * stride);
        Vector512.Store(Avx512F.Shuffle4x128(ab1, cd1, 0x88) * factor, destination + 8 * stride);
        Vector512.Store(Avx512F.Shuffle4x128(ab1, cd1, 0xDD) * factor, destination + 12 * stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 operator +(Simd512 left, Simd512 right) => new(left._v + right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 operator -(Simd512 left, Simd512 right) => new(left._v - right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 operator *(Simd512 left, Simd512 right) => new(left._v * right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 operator /(Simd512 left, Simd512 right) => new(left._v / right._v);
}

using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace S2ILGPU.Cpu.Simd;

/// <summary>4 floats in a 128-bit register.</summary>
internal readonly unsafe struct Simd128(Vector128<float> value) : ISimd<Simd128>
{
    private readonly Vector128<float> _v = value;

    public static int Count => 4;

    public static bool HasManyRegisters => Vector512.IsHardwareAccelerated || AdvSimd.IsSupported;

    public static Simd128 Zero { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => new(Vector128<float>.Zero); }

    public static Simd128 Iota { [MethodImpl(MethodImplOptions.AggressiveInlining)] get =>
        new(Vector128.Create(0f, 1, 2, 3)); }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 Create(float value) => new(Vector128.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 Load(float* source) => new(Vector128.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Simd128 value, float* destination) => Vector128.Store(value._v, destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 LoadBFloat16(ushort* source) =>
        new(Vector128.ShiftLeft(Vector128.WidenLower(Vector128.Create(Vector64.Load(source), Vector64<ushort>.Zero)),
        16).AsSingle());

    // See BFloat16Bits.Round.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBFloat16(Simd128 value, ushort* destination)
    {
        var bits = value._v.AsUInt32();
        var rounded = bits + Vector128.Create(0x7FFFu) + (Vector128.ShiftRightLogical(bits, 16) & Vector128.Create(1u));
        var isNumber = Vector128.Equals(value._v, value._v).AsUInt32();
        var kept = Vector128.ShiftRightLogical(
            Vector128.ConditionalSelect(isNumber, rounded, bits | Vector128.Create(0x400000u)), 16);
        Vector64.Store(Vector128.Narrow(kept, kept).GetLower(), destination);
    }

    // Exponent and mantissa of a half are those of a float times 2^-112, subnormals too; only infinity and NaN need
    // their exponent set.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 LoadFloat16(ushort* source)
    {
        var bits = Vector128.WidenLower(Vector128.Create(Vector64.Load(source), Vector64<ushort>.Zero));
        var magnitude = Vector128.ShiftLeft(bits & Vector128.Create(0x7FFFu), 13);
        var special = Vector128.GreaterThan(magnitude.AsInt32(), Vector128.Create(0x0F7FE000))
            .AsUInt32() & Vector128.Create(0x7F800000u);
        var value = (magnitude.AsSingle() * Vector128.Create(5.192296858534828e33f)).AsUInt32() | special;
        return new((value | Vector128.ShiftLeft(bits & Vector128.Create(0x8000u), 16)).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 LoadInt8(sbyte* source) => new(Vector128.ConvertToSingle(Int8(source)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<int> Int8(sbyte* source) => Sse41.IsSupported
        ? Sse41.ConvertToVector128Int32(source)
        : Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(int*)source).AsSByte()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 FusedMultiplyAdd(Simd128 a, Simd128 b, Simd128 c) =>
        new(Vector128.MultiplyAddEstimate(a._v, b._v, c._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 Max(Simd128 a, Simd128 b) => new(Vector128.MaxNative(a._v, b._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 Min(Simd128 a, Simd128 b) => new(Vector128.MinNative(a._v, b._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 Sqrt(Simd128 a) => new(Vector128.Sqrt(a._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 Log2(Simd128 a) => new(Vector128.Log2(a._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 ShiftToExponent(Simd128 a) => new(Vector128.ShiftLeft(a._v.AsInt32(), 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 SelectGreaterOrEqual(Simd128 a, Simd128 b, Simd128 ifTrue, Simd128 ifFalse) =>
        new(Vector128.ConditionalSelect(Vector128.GreaterThanOrEqual(a._v, b._v), ifTrue._v, ifFalse._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Simd128 a)
    {
        var pairs = a._v + Vector128.Shuffle(a._v, Vector128.Create(2, 3, 0, 1));
        return pairs.ToScalar() + pairs[1];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSums(Simd128 a, Simd128 b, Simd128 c, Simd128 d, float* destination)
    {
        // a0+a2 c0+c2 a1+a3 c1+c3, and the same of b and d.
        var (ac, bd) = (Low(a._v, c._v) + High(a._v, c._v), Low(b._v, d._v) + High(b._v, d._v));
        Vector128.Store(Low(ac, bd) + High(ac, bd), destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxElement(Simd128 a)
    {
        var pairs = Vector128.Max(a._v, Vector128.Shuffle(a._v, Vector128.Create(2, 3, 0, 1)));
        return Vector128.Max(pairs, Vector128.Shuffle(pairs, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(float* source, nint sourceStride, float* destination, nint destinationStride,
        Simd128 factor)
    {
        var (a, b, c, d) = (Vector128.Load(source), Vector128.Load(source + sourceStride),
            Vector128.Load(source + 2 * sourceStride), Vector128.Load(source + 3 * sourceStride));
        var (ac0, ac1, bd0, bd1) = (Low(a, c), High(a, c), Low(b, d), High(b, d));
        Vector128.Store(Low(ac0, bd0) * factor._v, destination);
        Vector128.Store(High(ac0, bd0) * factor._v, destination + destinationStride);
        Vector128.Store(Low(ac1, bd1) * factor._v, destination + 2 * destinationStride);
        Vector128.Store(High(ac1, bd1) * factor._v, destination + 3 * destinationStride);
    }

    // a0 b0 a1 b1
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Low(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackLow(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b)
        : Vector128.Create(a[0], b[0], a[1], b[1]);

    // a2 b2 a3 b3
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> High(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.UnpackHigh(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b)
        : Vector128.Create(a[2], b[2], a[3], b[3]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 operator +(Simd128 left, Simd128 right) => new(left._v + right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 operator -(Simd128 left, Simd128 right) => new(left._v - right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 operator *(Simd128 left, Simd128 right) => new(left._v * right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd128 operator /(Simd128 left, Simd128 right) => new(left._v / right._v);
}

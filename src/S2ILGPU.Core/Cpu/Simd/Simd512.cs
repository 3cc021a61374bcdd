using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace S2ILGPU.Cpu.Simd;

/// <summary>16 floats in a 512-bit register.</summary>
internal readonly unsafe struct Simd512(Vector512<float> value) : ISimd<Simd512>
{
    private readonly Vector512<float> _v = value;

    public static int Count => 16;

    public static bool HasManyRegisters => true;

    public static Simd512 Zero { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => new(Vector512<float>.Zero); }

    public static Simd512 Iota { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => new(Vector512.Create(0f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)); }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Create(float value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Load(float* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Simd512 value, float* destination) => Vector512.Store(value._v, destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 LoadBFloat16(ushort* source) => new(Vector512.ShiftLeft(Vector512.WidenLower(Vector512.Create(Vector256.Load(source), Vector256<ushort>.Zero)), 16).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 FusedMultiplyAdd(Simd512 a, Simd512 b, Simd512 c) => new(Vector512.FusedMultiplyAdd(a._v, b._v, c._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Max(Simd512 a, Simd512 b) => new(Vector512.MaxNative(a._v, b._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Min(Simd512 a, Simd512 b) => new(Vector512.MinNative(a._v, b._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Sqrt(Simd512 a) => new(Vector512.Sqrt(a._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 Round(Simd512 a) => new(Vector512.Round(a._v));

    // The exponent goes straight into the bits; -127 gives a factor of 0, so that far underflow is an exact 0 and nothing needs a clamp before.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 ScaleByPowerOfTwo(Simd512 a, Simd512 n) => Avx512F.IsSupported
            ? new(Avx512F.Scale(a._v, n._v))
            : new(a._v * Vector512.ShiftLeft(Vector512.ConvertToInt32(Vector512.Max(n._v, Vector512.Create(-127f))) + Vector512.Create(127), 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Simd512 SelectGreaterOrEqual(Simd512 a, Simd512 b, Simd512 ifTrue, Simd512 ifFalse) =>
        new(Vector512.ConditionalSelect(Vector512.GreaterThanOrEqual(a._v, b._v), ifTrue._v, ifFalse._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Simd512 a)
    {
        var half = a._v.GetLower() + a._v.GetUpper();
        return Vector128.Sum(half.GetLower() + half.GetUpper());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxElement(Simd512 a)
    {
        var half = Vector256.Max(a._v.GetLower(), a._v.GetUpper());
        return Simd128.MaxElement(new(Vector128.Max(half.GetLower(), half.GetUpper())));
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

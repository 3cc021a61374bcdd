using System.Runtime.CompilerServices;
using S2ILGPU.Cpu.Memory;
using S2ILGPU.Tensors;

namespace S2ILGPU.Cpu.Simd;

/// <summary>One float: the path for machines without SIMD, and the simplest reading of every kernel.</summary>
internal readonly unsafe struct SimdScalar(float value) : ISimd<SimdScalar>
{
    private readonly float _v = value;

    public static int Count => 1;

    public static bool HasManyRegisters => false;

    public static SimdScalar Zero => default;

    public static SimdScalar Iota => default;

    public static SimdScalar Create(float value) => new(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SimdScalar Load(float* source) => new(*source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(SimdScalar value, float* destination) => *destination = value._v;

    public static SimdScalar LoadBFloat16(ushort* source) => new(BFloat16Bits.Widen(*source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBFloat16(SimdScalar value, ushort* destination) =>
        *destination = BFloat16Bits.Round(value._v);

    public static SimdScalar LoadFloat16(ushort* source) => new((float)BitConverter.UInt16BitsToHalf(*source));

    public static SimdScalar LoadInt8(sbyte* source) => new(*source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SimdScalar FusedMultiplyAdd(SimdScalar a, SimdScalar b, SimdScalar c) =>
        new(float.MultiplyAddEstimate(a._v, b._v, c._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SimdScalar Max(SimdScalar a, SimdScalar b) => new(a._v > b._v ? a._v : b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SimdScalar Min(SimdScalar a, SimdScalar b) => new(a._v < b._v ? a._v : b._v);

    public static SimdScalar Sqrt(SimdScalar a) => new(MathF.Sqrt(a._v));

    public static SimdScalar Log2(SimdScalar a) => new(MathF.Log2(a._v));

    public static SimdScalar ShiftToExponent(SimdScalar a) =>
        new(BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(a._v) << 23));

    public static SimdScalar SelectGreaterOrEqual(SimdScalar a, SimdScalar b, SimdScalar ifTrue, SimdScalar ifFalse) =>
        a._v >= b._v ? ifTrue : ifFalse;

    public static float Sum(SimdScalar a) => a._v;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSums(SimdScalar a, SimdScalar b, SimdScalar c, SimdScalar d, float* destination) =>
        (destination[0], destination[1], destination[2], destination[3]) = (a._v, b._v, c._v, d._v);

    public static float MaxElement(SimdScalar a) => a._v;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(float* source, nint sourceStride, float* destination, nint destinationStride,
        SimdScalar factor) => *destination = *source * factor._v;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SimdScalar operator +(SimdScalar left, SimdScalar right) => new(left._v + right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SimdScalar operator -(SimdScalar left, SimdScalar right) => new(left._v - right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SimdScalar operator *(SimdScalar left, SimdScalar right) => new(left._v * right._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SimdScalar operator /(SimdScalar left, SimdScalar right) => new(left._v / right._v);
}

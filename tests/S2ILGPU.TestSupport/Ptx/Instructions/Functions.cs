using System.Numerics;

namespace S2ILGPU.TestSupport.Ptx;

// Each struct is one PTX operation; the decoder names it together with the type.

internal readonly struct Same<T> : IUnary<T, T>
{
    public static T Apply(T a) => a;
}

internal readonly struct Add<T> : IBinary<T, T, T> where T : INumberBase<T>
{
    public static T Apply(T a, T b) => unchecked(a + b);
}

internal readonly struct Subtract<T> : IBinary<T, T, T> where T : INumberBase<T>
{
    public static T Apply(T a, T b) => unchecked(a - b);
}

internal readonly struct Multiply<T> : IBinary<T, T, T> where T : INumberBase<T>
{
    public static T Apply(T a, T b) => unchecked(a * b);
}

/// <summary>Integer division; by zero gives all bits set, as the hardware does.</summary>
internal readonly struct Quotient<T> : IBinary<T, T, T> where T : IBinaryInteger<T>
{
    public static T Apply(T a, T b) =>
        T.IsZero(b) ? ~T.Zero : b == ~T.Zero && T.IsNegative(b) ? unchecked(T.Zero - a) : a / b;
}

internal readonly struct Remainder<T> : IBinary<T, T, T> where T : IBinaryInteger<T>
{
    public static T Apply(T a, T b) => T.IsZero(b) ? a : b == ~T.Zero && T.IsNegative(b) ? T.Zero : a % b;
}

internal readonly struct Divide<T> : IBinary<T, T, T> where T : IFloatingPoint<T>
{
    public static T Apply(T a, T b) => a / b;
}

/// <summary>The smaller one; a number rather than NaN.</summary>
internal readonly struct Minimum<T> : IBinary<T, T, T> where T : INumber<T>
{
    public static T Apply(T a, T b) => T.MinNumber(a, b);
}

/// <summary>The larger one; a number rather than NaN.</summary>
internal readonly struct Maximum<T> : IBinary<T, T, T> where T : INumber<T>
{
    public static T Apply(T a, T b) => T.MaxNumber(a, b);
}

internal readonly struct And<T> : IBinary<T, T, T> where T : IBinaryInteger<T>
{
    public static T Apply(T a, T b) => a & b;
}

internal readonly struct Or<T> : IBinary<T, T, T> where T : IBinaryInteger<T>
{
    public static T Apply(T a, T b) => a | b;
}

internal readonly struct Xor<T> : IBinary<T, T, T> where T : IBinaryInteger<T>
{
    public static T Apply(T a, T b) => a ^ b;
}

/// <summary>The second value: exchange.</summary>
internal readonly struct Second<T> : IBinary<T, T, T>
{
    public static T Apply(T a, T b) => b;
}

internal readonly struct Not<T> : IUnary<T, T> where T : IBinaryInteger<T>
{
    public static T Apply(T a) => ~a;
}

internal readonly struct Negate<T> : IUnary<T, T> where T : INumberBase<T>
{
    public static T Apply(T a) => unchecked(-a);
}

internal readonly struct Absolute<T> : IUnary<T, T> where T : INumberBase<T>
{
    public static T Apply(T a) => T.IsNegative(a) ? unchecked(-a) : a;
}

internal readonly struct LeadingZeros<T> : IUnary<T, uint> where T : IBinaryInteger<T>
{
    public static uint Apply(T a) => uint.CreateTruncating(T.LeadingZeroCount(a));
}

internal readonly struct CountBits<T> : IUnary<T, uint> where T : IBinaryInteger<T>
{
    public static uint Apply(T a) => uint.CreateTruncating(T.PopCount(a));
}

/// <summary>Shifts by more bits than there are leave nothing, or the sign.</summary>
internal readonly struct ShiftLeft<T> : IBinary<T, uint, T> where T : unmanaged, IBinaryInteger<T>
{
    public static unsafe T Apply(T a, uint b) => b >= sizeof(T) * 8 ? T.Zero : a << (int)b;
}

internal readonly struct ShiftRight<T> : IBinary<T, uint, T> where T : unmanaged, IBinaryInteger<T>
{
    public static unsafe T Apply(T a, uint b) =>
        a >> (int)Math.Min(b, sizeof(T) * 8 - 1) >> (b >= sizeof(T) * 8 ? 1 : 0);
}

internal readonly struct MultiplyHigh32 : IBinary<uint, uint, uint>
{
    public static uint Apply(uint a, uint b) => (uint)((ulong)a * b >> 32);
}

internal readonly struct MultiplyHighSigned32 : IBinary<int, int, int>
{
    public static int Apply(int a, int b) => (int)((long)a * b >> 32);
}

internal readonly struct MultiplyHigh64 : IBinary<ulong, ulong, ulong>
{
    public static ulong Apply(ulong a, ulong b) => Math.BigMul(a, b, out _);
}

internal readonly struct MultiplyHighSigned64 : IBinary<long, long, long>
{
    public static long Apply(long a, long b) => Math.BigMul(a, b, out _);
}

/// <summary>Product of twice the width.</summary>
internal readonly struct MultiplyWide<T, TWide> : IBinary<T, T, TWide>
    where T : IBinaryInteger<T>
    where TWide : IBinaryInteger<TWide>
{
    public static TWide Apply(T a, T b) => TWide.CreateTruncating(a) * TWide.CreateTruncating(b);
}

internal readonly struct MultiplyAdd<T> : ITernary<T, T> where T : INumberBase<T>
{
    public static T Apply(T a, T b, T c) => unchecked(a * b + c);
}

internal readonly struct MultiplyAddWide<T, TWide> : ITernary<T, TWide>
    where T : IBinaryInteger<T>
    where TWide : IBinaryInteger<TWide>
{
    public static TWide Apply(T a, T b, TWide c) =>
        unchecked(TWide.CreateTruncating(a) * TWide.CreateTruncating(b) + c);
}

internal readonly struct FusedMultiplyAdd<T> : ITernary<T, T> where T : IFloatingPointIeee754<T>
{
    public static T Apply(T a, T b, T c) => T.FusedMultiplyAdd(a, b, c);
}

/// <summary>Conversions that keep the low bits, or round to nearest where the target is a float.</summary>
internal readonly struct ConvertNumber<TFrom, TTo> : IUnary<TFrom, TTo>
    where TFrom : INumberBase<TFrom>
    where TTo : INumberBase<TTo>
{
    public static TTo Apply(TFrom a) => TTo.CreateTruncating(a);
}

/// <summary>Float to integer towards zero; what does not fit becomes the nearest integer that does, NaN becomes
/// 0.</summary>
internal readonly struct ConvertTowardsZero<TFrom, TTo> : IUnary<TFrom, TTo>
    where TFrom : IFloatingPoint<TFrom>
    where TTo : IBinaryInteger<TTo>
{
    public static TTo Apply(TFrom a) => TTo.CreateSaturating(TFrom.Truncate(a));
}

/// <summary>Float to integer, to nearest even.</summary>
internal readonly struct ConvertToNearest<TFrom, TTo> : IUnary<TFrom, TTo>
    where TFrom : IFloatingPoint<TFrom>
    where TTo : IBinaryInteger<TTo>
{
    public static TTo Apply(TFrom a) => TTo.CreateSaturating(TFrom.Round(a, MidpointRounding.ToEven));
}

internal readonly struct Floor<T> : IUnary<T, T> where T : IFloatingPoint<T>
{
    public static T Apply(T a) => T.Floor(a);
}

internal readonly struct Ceiling<T> : IUnary<T, T> where T : IFloatingPoint<T>
{
    public static T Apply(T a) => T.Ceiling(a);
}

internal readonly struct TruncateFraction<T> : IUnary<T, T> where T : IFloatingPoint<T>
{
    public static T Apply(T a) => T.Truncate(a);
}

internal readonly struct RoundToEven<T> : IUnary<T, T> where T : IFloatingPoint<T>
{
    public static T Apply(T a) => T.Round(a, MidpointRounding.ToEven);
}

/// <summary>Two fp32 to a pair of bfloat16, the first in the upper half.</summary>
internal readonly struct PackBFloat16 : IBinary<float, float, uint>
{
    public static uint Apply(float a, float b) => Round(a) << 16 | Round(b);

    public static uint Round(float x)
    {
        uint bits = BitConverter.SingleToUInt32Bits(x);
        return float.IsNaN(x) ? 0x7fff : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    }
}

/// <summary>fp32 to bfloat16.</summary>
internal readonly struct ToBFloat16 : IUnary<float, ushort>
{
    public static ushort Apply(float a) => (ushort)PackBFloat16.Round(a);
}

/// <summary>fp32 to TF32, ties away from zero.</summary>
internal readonly struct ToTf32 : IUnary<float, uint>
{
    public static uint Apply(float a) =>
        float.IsNaN(a) ? 0x7fffffff : BitConverter.SingleToUInt32Bits(a) + 0x1000 & 0xffffe000;
}

/// <summary>bfloat16 to fp32.</summary>
internal readonly struct FromBFloat16 : IUnary<ushort, float>
{
    public static float Apply(ushort a) => BitConverter.UInt32BitsToSingle((uint)a << 16);
}

/// <summary>Two fp32 to a pair of fp16, the first in the upper half.</summary>
internal readonly struct PackFloat16 : IBinary<float, float, uint>
{
    public static uint Apply(float a, float b) =>
        (uint)BitConverter.HalfToUInt16Bits((Half)a) << 16 | BitConverter.HalfToUInt16Bits((Half)b);
}

internal readonly struct Exp2 : IUnary<float, float>
{
    public static float Apply(float a) => (float)Math.Exp(a * 0.69314718055994530942);
}

/// <summary>With .ftz: subnormal arguments and results are zero.</summary>
internal readonly struct Exp2FlushToZero : IUnary<float, float>
{
    public static float Apply(float a) => Subnormals.Flush(Exp2.Apply(Subnormals.Flush(a)));
}

internal readonly struct Log2FlushToZero : IUnary<float, float>
{
    public static float Apply(float a) => (float)Math.Log2(Subnormals.Flush(a));
}

internal readonly struct Log2 : IUnary<float, float>
{
    public static float Apply(float a) => (float)Math.Log2(a);
}

internal readonly struct Reciprocal<T> : IUnary<T, T> where T : IFloatingPoint<T>
{
    public static T Apply(T a) => T.One / a;
}

internal readonly struct ReciprocalFlushToZero : IUnary<float, float>
{
    public static float Apply(float a) => Subnormals.Flush(1 / Subnormals.Flush(a));
}

internal readonly struct SquareRoot<T> : IUnary<T, T> where T : IRootFunctions<T>
{
    public static T Apply(T a) => T.Sqrt(a);
}

internal readonly struct ReciprocalSquareRoot<T> : IUnary<T, T> where T : IFloatingPointIeee754<T>
{
    public static T Apply(T a) => T.One / T.Sqrt(a);
}

internal readonly struct Sine : IUnary<float, float>
{
    public static float Apply(float a) => MathF.Sin(a);
}

internal readonly struct Cosine : IUnary<float, float>
{
    public static float Apply(float a) => MathF.Cos(a);
}

internal readonly struct HyperbolicTangent : IUnary<float, float>
{
    public static float Apply(float a) => MathF.Tanh(a);
}

/// <summary>The magnitude of the second with the sign of the first: <c>copysign</c>.</summary>
internal readonly struct CopySign<T> : IBinary<T, T, T> where T : INumber<T>
{
    public static T Apply(T a, T b) => T.CopySign(b, a);
}

/// <summary>Numbers too small for a normal float.</summary>
internal static class Subnormals
{
    public static float Flush(float x) => float.IsSubnormal(x) ? MathF.CopySign(0, x) : x;
}

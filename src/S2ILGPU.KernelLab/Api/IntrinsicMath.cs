using System.Numerics;

namespace ILGPU;

/// <summary>Functions that every device has.</summary>
public static class IntrinsicMath
{
    /// <summary>The lesser.</summary>
    /// <param name="first">One value.</param>
    /// <param name="second">Another.</param>
    /// <returns>The result.</returns>
    public static int Min(int first, int second) => Math.Min(first, second);

    /// <summary>The greater.</summary>
    /// <param name="first">One value.</param>
    /// <param name="second">Another.</param>
    /// <returns>The result.</returns>
    public static int Max(int first, int second) => Math.Max(first, second);

    /// <summary>The value, kept between bounds.</summary>
    /// <param name="value">The value.</param>
    /// <param name="min">The least.</param>
    /// <param name="max">The greatest.</param>
    /// <returns>The result.</returns>
    public static int Clamp(int value, int min, int max) => Math.Max(Math.Min(value, max), min);

    /// <summary>The lesser.</summary>
    /// <param name="first">One value.</param>
    /// <param name="second">Another.</param>
    /// <returns>The result.</returns>
    public static long Min(long first, long second) => Math.Min(first, second);

    /// <summary>The greater.</summary>
    /// <param name="first">One value.</param>
    /// <param name="second">Another.</param>
    /// <returns>The result.</returns>
    public static long Max(long first, long second) => Math.Max(first, second);

    /// <summary>The value, kept between bounds.</summary>
    /// <param name="value">The value.</param>
    /// <param name="min">The least.</param>
    /// <param name="max">The greatest.</param>
    /// <returns>The result.</returns>
    public static long Clamp(long value, long min, long max) => Math.Max(Math.Min(value, max), min);

    /// <summary>The lesser.</summary>
    /// <param name="first">One value.</param>
    /// <param name="second">Another.</param>
    /// <returns>The result.</returns>
    public static uint Min(uint first, uint second) => Math.Min(first, second);

    /// <summary>The greater.</summary>
    /// <param name="first">One value.</param>
    /// <param name="second">Another.</param>
    /// <returns>The result.</returns>
    public static uint Max(uint first, uint second) => Math.Max(first, second);

    /// <summary>The value, kept between bounds.</summary>
    /// <param name="value">The value.</param>
    /// <param name="min">The least.</param>
    /// <param name="max">The greatest.</param>
    /// <returns>The result.</returns>
    public static uint Clamp(uint value, uint min, uint max) => Math.Max(Math.Min(value, max), min);

    /// <summary>The lesser.</summary>
    /// <param name="first">One value.</param>
    /// <param name="second">Another.</param>
    /// <returns>The result.</returns>
    public static ulong Min(ulong first, ulong second) => Math.Min(first, second);

    /// <summary>The greater.</summary>
    /// <param name="first">One value.</param>
    /// <param name="second">Another.</param>
    /// <returns>The result.</returns>
    public static ulong Max(ulong first, ulong second) => Math.Max(first, second);

    /// <summary>The value, kept between bounds.</summary>
    /// <param name="value">The value.</param>
    /// <param name="min">The least.</param>
    /// <param name="max">The greatest.</param>
    /// <returns>The result.</returns>
    public static ulong Clamp(ulong value, ulong min, ulong max) => Math.Max(Math.Min(value, max), min);

    /// <summary>The lesser.</summary>
    /// <param name="first">One value.</param>
    /// <param name="second">Another.</param>
    /// <returns>The result.</returns>
    public static float Min(float first, float second) => Math.Min(first, second);

    /// <summary>The greater.</summary>
    /// <param name="first">One value.</param>
    /// <param name="second">Another.</param>
    /// <returns>The result.</returns>
    public static float Max(float first, float second) => Math.Max(first, second);

    /// <summary>The value, kept between bounds.</summary>
    /// <param name="value">The value.</param>
    /// <param name="min">The least.</param>
    /// <param name="max">The greatest.</param>
    /// <returns>The result.</returns>
    public static float Clamp(float value, float min, float max) => Math.Max(Math.Min(value, max), min);

    /// <summary>The lesser.</summary>
    /// <param name="first">One value.</param>
    /// <param name="second">Another.</param>
    /// <returns>The result.</returns>
    public static double Min(double first, double second) => Math.Min(first, second);

    /// <summary>The greater.</summary>
    /// <param name="first">One value.</param>
    /// <param name="second">Another.</param>
    /// <returns>The result.</returns>
    public static double Max(double first, double second) => Math.Max(first, second);

    /// <summary>The value, kept between bounds.</summary>
    /// <param name="value">The value.</param>
    /// <param name="min">The least.</param>
    /// <param name="max">The greatest.</param>
    /// <returns>The result.</returns>
    public static double Clamp(double value, double min, double max) => Math.Max(Math.Min(value, max), min);

    /// <summary>The absolute value.</summary>
    /// <param name="value">The value.</param>
    /// <returns>The result.</returns>
    public static int Abs(int value) => Math.Abs(value);

    /// <summary>The absolute value.</summary>
    /// <param name="value">The value.</param>
    /// <returns>The result.</returns>
    public static long Abs(long value) => Math.Abs(value);

    /// <summary>The absolute value.</summary>
    /// <param name="value">The value.</param>
    /// <returns>The result.</returns>
    public static float Abs(float value) => Math.Abs(value);

    /// <summary>The absolute value.</summary>
    /// <param name="value">The value.</param>
    /// <returns>The result.</returns>
    public static double Abs(double value) => Math.Abs(value);

    /// <summary>The number of ones.</summary>
    /// <param name="value">The bits.</param>
    /// <returns>The result.</returns>
    public static int PopCount(int value) => BitOperations.PopCount((uint)value);

    /// <summary>The zeros above the highest one.</summary>
    /// <param name="value">The bits.</param>
    /// <returns>The result.</returns>
    public static int LeadingZeroCount(int value) => BitOperations.LeadingZeroCount((uint)value);

    /// <summary>The zeros below the lowest one.</summary>
    /// <param name="value">The bits.</param>
    /// <returns>The result.</returns>
    public static int TrailingZeroCount(int value) => BitOperations.TrailingZeroCount((uint)value);

    /// <summary>The number of ones.</summary>
    /// <param name="value">The bits.</param>
    /// <returns>The result.</returns>
    public static int PopCount(uint value) => BitOperations.PopCount(value);

    /// <summary>The zeros above the highest one.</summary>
    /// <param name="value">The bits.</param>
    /// <returns>The result.</returns>
    public static int LeadingZeroCount(uint value) => BitOperations.LeadingZeroCount(value);

    /// <summary>The zeros below the lowest one.</summary>
    /// <param name="value">The bits.</param>
    /// <returns>The result.</returns>
    public static int TrailingZeroCount(uint value) => BitOperations.TrailingZeroCount(value);

    /// <summary>The number of ones.</summary>
    /// <param name="value">The bits.</param>
    /// <returns>The result.</returns>
    public static int PopCount(long value) => BitOperations.PopCount((ulong)value);

    /// <summary>The zeros above the highest one.</summary>
    /// <param name="value">The bits.</param>
    /// <returns>The result.</returns>
    public static int LeadingZeroCount(long value) => BitOperations.LeadingZeroCount((ulong)value);

    /// <summary>The zeros below the lowest one.</summary>
    /// <param name="value">The bits.</param>
    /// <returns>The result.</returns>
    public static int TrailingZeroCount(long value) => BitOperations.TrailingZeroCount((ulong)value);

    /// <summary>The number of ones.</summary>
    /// <param name="value">The bits.</param>
    /// <returns>The result.</returns>
    public static int PopCount(ulong value) => BitOperations.PopCount(value);

    /// <summary>The zeros above the highest one.</summary>
    /// <param name="value">The bits.</param>
    /// <returns>The result.</returns>
    public static int LeadingZeroCount(ulong value) => BitOperations.LeadingZeroCount(value);

    /// <summary>The zeros below the lowest one.</summary>
    /// <param name="value">The bits.</param>
    /// <returns>The result.</returns>
    public static int TrailingZeroCount(ulong value) => BitOperations.TrailingZeroCount(value);

    /// <summary>The quotient, rounded up.</summary>
    /// <param name="numerator">At least 0.</param>
    /// <param name="denominator">At least 1.</param>
    /// <returns>The result.</returns>
    public static int DivRoundUp(int numerator, int denominator) => (numerator + denominator - 1) / denominator;

    /// <summary>The quotient, rounded down.</summary>
    /// <param name="numerator">At least 0.</param>
    /// <param name="denominator">At least 1.</param>
    /// <returns>The result.</returns>
    public static int DivRoundDown(int numerator, int denominator) => numerator / denominator;

    /// <summary>The quotient, rounded up.</summary>
    /// <param name="numerator">At least 0.</param>
    /// <param name="denominator">At least 1.</param>
    /// <returns>The result.</returns>
    public static long DivRoundUp(long numerator, long denominator) => (numerator + denominator - 1) / denominator;

    /// <summary>The quotient, rounded down.</summary>
    /// <param name="numerator">At least 0.</param>
    /// <param name="denominator">At least 1.</param>
    /// <returns>The result.</returns>
    public static long DivRoundDown(long numerator, long denominator) => numerator / denominator;
}
